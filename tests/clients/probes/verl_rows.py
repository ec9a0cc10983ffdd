"""What both probes of verl share: its configuration, and rows as its agent loop hands them to the reward loop."""

from pathlib import Path
from typing import Any


def compose_config(overrides: list[str]) -> Any:
    """verl's own PPO configuration with these overrides."""
    import verl
    from hydra import compose, initialize_config_dir

    folder = Path(verl.__file__).parent / "trainer" / "config"
    with initialize_config_dir(str(folder), version_base=None):
        return compose("ppo_trainer", overrides=overrides)


def make_row(tokenizer: Any, sample: dict[str, Any]) -> Any:
    """A row of one sample: the prompt padded on the left, the response on the right."""
    import numpy as np
    import torch
    from tensordict import TensorDict
    from verl import DataProto

    prompt, response = (tokenizer(sample[key], add_special_tokens=False)["input_ids"] for key in ("prompt", "response"))
    response = [*response, tokenizer.eos_token_id]
    mask = [0] + [1] * (len(prompt) + len(response)) + [0, 0]
    tensors = {
        "prompts": torch.tensor([[0, *prompt]]),
        "responses": torch.tensor([[*response, 0, 0]]),
        "attention_mask": torch.tensor([mask]),
    }
    messages = [{"role": "user", "content": sample["prompt"]}]
    fields = {
        "raw_prompt": messages,
        "data_source": "d",
        "reward_model": {"ground_truth": sample.get("reference")},
        "extra_info": {"question": sample["prompt"]},
        "uid": sample["prompt"],
    }
    columns = {name: np.array([value]) for name, value in fields.items()}
    return DataProto(batch=TensorDict(tensors, batch_size=1), non_tensor_batch=columns)
