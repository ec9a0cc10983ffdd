"""OpenRLHF on a CPU: stand-ins for what exists only on a GPU, and a record of what it trains on.

Its trainer, experience maker, replay buffer, loss, vLLM engine, executor and call of the reward's address are its own:
nothing between a prompt and its reward is replaced, and nothing between that reward and the optimizer's step. What is:

- ``torch.cuda``, whose current device is the CPU;
- ``flash_attn``, whose names OpenRLHF imports for packed samples and ring attention, both off here;
- NCCL, by which new weights go to vLLM: here through vLLM's own group without a GPU, which sends objects;
- DeepSpeed's fused Adam, which is compiled where it runs: here torch's (``torch_adam`` of its configuration).
"""

import json
import os
import sys
from functools import wraps
from types import ModuleType
from typing import Any

FLASH_ATTN = {
    "flash_attn.bert_padding": ("index_first_axis", "pad_input", "rearrange", "unpad_input"),
    "flash_attn.utils.distributed": ("all_gather",),
}


class Cpu(str):
    """The CPU where a device's index is asked for; formats as one, as in ``cuda:0``."""

    def __format__(self, _: str) -> str:
        return "0"


def set_up() -> None:
    """Run once in each process, before anything of OpenRLHF is imported."""
    if sys.modules.keys() >= FLASH_ATTN.keys():
        return
    stand_in_for_cuda()
    stand_in_for_flash_attn()
    stand_in_for_nccl()
    stand_in_for_fused_adam()
    record_experience()


def stand_in_for_cuda() -> None:
    """Nothing to wait for, nothing to empty, and one device."""
    import torch
    from torch.distributed import device_mesh

    for name in ("set_device", "empty_cache", "synchronize", "current_stream"):
        setattr(torch.cuda, name, lambda *_: None)
    torch.cuda.current_device = lambda: Cpu("cpu")
    make_mesh = device_mesh.init_device_mesh
    device_mesh.init_device_mesh = lambda _, *args, **named: make_mesh("cpu", *args, **named)


def stand_in_for_flash_attn() -> None:
    """Modules with names that nothing calls; their package is absent, as whoever looks for it should find."""
    for module, names in FLASH_ATTN.items():
        sys.modules[module] = ModuleType(module)
        sys.modules[module].__dict__.update(dict.fromkeys(names))


class WeightGroup:
    """The trainer's first process and vLLM's workers; tensors are sent as objects."""

    def __init__(self, address: str, port: int, rank: int, world_size: int, _: Any) -> None:
        from vllm.distributed.utils import StatelessProcessGroup

        self.group = StatelessProcessGroup.create(host=address, port=port, rank=rank, world_size=world_size)

    def broadcast(self, tensor: Any, src: int, stream: None) -> None:
        if self.group.rank == src:
            self.group.broadcast_obj(tensor.detach().clone(), src)
        else:
            tensor.copy_(self.group.broadcast_obj(None, src))


def stand_in_for_nccl() -> None:
    """Weights travel through ``WeightGroup``, and vLLM receives them by ``cpu_worker.Worker``."""
    import vllm
    from openrlhf.trainer.ray import ppo_actor
    from openrlhf.utils import distributed_util

    ppo_actor.stateless_init_process_group = distributed_util.stateless_init_process_group = WeightGroup
    arguments = vllm.AsyncEngineArgs
    vllm.AsyncEngineArgs = lambda **named: arguments(**{**named, "worker_extension_cls": "cpu_worker.Worker"})


def stand_in_for_fused_adam() -> None:
    """torch's Adam, by DeepSpeed's own key."""
    from openrlhf.utils.deepspeed import deepspeed

    make_config = deepspeed.get_train_ds_config

    def config(**named: Any) -> Any:
        made = make_config(**named)
        if "optimizer" in made:
            made["optimizer"]["params"]["torch_adam"] = True
        return made

    deepspeed.get_train_ds_config = config


def record_experience() -> None:
    """Append what each step trains on to the file ``OPENRLHF_RECORD``, a line a step."""
    from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker

    make = RemoteExperienceMaker.make_experience_batch

    @wraps(make)
    def make_experience_batch(self: Any, rollout_samples: Any) -> Any:
        experiences = make(self, rollout_samples)
        with open(os.environ["OPENRLHF_RECORD"], "a") as file:
            rows = [row for experience in experiences for row in rows_of(experience, self.tokenizer)]
            file.write(json.dumps(rows) + "\n")
        return experiences

    RemoteExperienceMaker.make_experience_batch = make_experience_batch


def rows_of(experience: Any, tokenizer: Any) -> list[dict[str, Any]]:
    """A row per sample: the prompt as rendered, the response with its marks, the advantage of its first token."""
    rows = []
    for i, prompt in enumerate(experience.prompts):
        acted = experience.action_mask[i].bool()
        rows.append(
            {
                "prompt": prompt,
                "label": experience.labels[i],
                "response": tokenizer.decode(experience.sequences[i][1:][acted], skip_special_tokens=False),
                "reward": experience.rewards[i].item(),
                "advantage": experience.advantages[i][acted][0].item(),
            }
        )
    return rows
