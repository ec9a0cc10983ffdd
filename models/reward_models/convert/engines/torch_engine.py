"""Runs the network of a checkpoint by torch and transformers, as ``models add`` would export it."""

import gc
import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reward_models.convert.add import make_plan
from reward_models.convert.checkpoint import fetch_checkpoint
from reward_models.convert.engines.batches import Batches, Outcome, OutOfMemory, TokenIds
from reward_models.convert.engines.task import Task
from reward_models.convert.errors import Refused
from reward_models.convert.weight_loading import WeightLoading
from reward_models.runtime.budget import pad_rows

CPU_WORDS = ("can't allocate memory", "not enough memory")
"""What torch says where a CPU's memory ends, in errors without a type of their own."""


class TorchEngine:
    """A checkpoint on a CPU, a GPU, or over several GPUs.

    Raises:
        Refused: the checkpoint cannot be loaded, or the device is not there.
    """

    def __init__(self, task: Task) -> None:
        torch.set_num_threads(task.threads)
        # Ten bits of mantissa would change scores, and cached ones, by 1e-3.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        if task.device != "CPU" and not torch.cuda.is_available():
            raise Refused("The model is to run on a GPU, and torch sees none: it does not run on the CPU instead.")
        self._pad, self._types = task.pad, task.types
        self._device = torch.device({"CPU": "cpu", "MODEL": "cuda"}.get(task.device, f"cuda:{task.number}"))
        self._network = load_network(task)
        if task.device != "MODEL":
            self._network = self._network.to(self._device)
        self._batches = Batches(self._run, task.token_budget)
        self.described = f"{type(self._network).__name__} in {task.network['dtype']} by torch on {self._device}"

    def score_rows(self, rows: Sequence[TokenIds]) -> list[Outcome]:
        """Per row its numbers, [K] or [t], or its error."""
        return self._batches.score_rows(rows)

    def is_well(self) -> bool:
        """False for a CUDA device that has failed, which is so for the rest of the process."""
        if self._device.type == "cuda":
            try:
                torch.cuda.synchronize()
            except Exception:
                return False
        return True

    def _run(self, rows: Sequence[TokenIds]) -> list[NDArray[np.float32]]:
        try:
            return self._run_batch(rows)
        except (torch.OutOfMemoryError, MemoryError):
            pass
        except RuntimeError as error:
            if not any(words in str(error) for words in CPU_WORDS):
                raise
        # Outside of the handler, as the error holds the frames, and they the tensors.
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        raise OutOfMemory

    def _run_batch(self, rows: Sequence[TokenIds]) -> list[NDArray[np.float32]]:
        ids, mask = pad_rows([row.ids for row in rows], self._pad)
        feeds = {"input_ids": ids, "attention_mask": mask}
        if self._types:
            feeds["token_type_ids"] = pad_rows([row.types for row in rows])[0]
        with torch.inference_mode():
            given = self._network(**{name: torch.from_numpy(value).to(self._device) for name, value in feeds.items()})
            numbers: NDArray[np.float32] = given.float().cpu().numpy()
        if self._network.by_token:
            return [values[: len(row.ids)] for values, row in zip(numbers, rows, strict=True)]
        return list(numbers)


def load_network(task: Task) -> Any:
    """The network of a task. Raises Refused if its checkpoint cannot be loaded."""
    options = task.parse_options()
    checkpoint = fetch_checkpoint(str(task.folder))
    last: Refused | None = None
    for attention in list_attentions(task):
        loading = WeightLoading(
            dtype=task.network["dtype"],
            attention=attention,
            device_map="auto" if task.device == "MODEL" else "",
            trust_code=task.network["trust_remote_code"],
        )
        try:
            return make_plan(checkpoint.loaded_by(loading), options).network
        except Refused as error:
            last = last or error
    assert last is not None
    raise last


def list_attentions(task: Task) -> list[str]:
    """Implementations of attention to try: FlashAttention where it runs, then the best that transformers knows of."""
    flash = (
        task.device != "CPU"
        and task.network["dtype"] in ("float16", "bfloat16")
        and importlib.util.find_spec("flash_attn") is not None
    )
    return ["flash_attention_2", ""] if flash else [""]
