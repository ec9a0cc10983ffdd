"""Runs a sequence classifier by vLLM's offline pooling runner, which batches by itself."""

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.convert.engines.batches import Outcome, TokenIds
from reward_models.convert.engines.task import Task

Numbers = NDArray[np.float64]

# In this process rather than one below it, which would outlive it if it were killed.
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")


def softmax(numbers: Numbers) -> Numbers:
    """The shares of K logits."""
    powers = np.exp(numbers - numbers.max())
    shares: Numbers = powers / powers.sum()
    return shares


OUTPUTS: Mapping[str, Callable[[Numbers], Numbers]] = {
    "logits": lambda numbers: numbers,
    "sigmoid": lambda numbers: 1 / (1 + np.exp(-numbers)),
    "softmax": softmax,
}


def is_compiled(device: str) -> bool:
    """Whether vLLM compiles the network, as it does by itself.

    Not on a CPU if the path of torch has a space: torch names its headers to the C++ compiler without quotes.
    """
    torch = find_spec("torch")
    path = (torch and torch.origin) or ""
    return device != "CPU" or not any(map(str.isspace, path))


class VllmEngine:
    """A checkpoint in vLLM. The card's ``engine.arguments`` are those of ``vllm.LLM``: ``gpu_memory_utilization`` …

    Raises:
        Exception: vLLM does not load it, for one of many reasons.
    """

    def __init__(self, task: Task) -> None:
        if task.device == "GPU":
            os.environ.setdefault("CUDA_VISIBLE_DEVICES", str(task.number))
        from vllm import LLM, PoolingParams

        self._output = OUTPUTS[task.network["options"].get("output") or "logits"]
        self._model: Any = LLM(
            model=str(task.folder),
            runner="pooling",
            convert="classify",
            dtype=task.network["dtype"],
            trust_remote_code=task.network["trust_remote_code"],
            max_model_len=task.tokens,
            **{"enforce_eager": not is_compiled(task.device), **task.arguments},
        )
        # Logits; vLLM would otherwise make them shares, of which a single one is always 1.
        self._parameters = PoolingParams(use_activation=False)
        self.described = f"{task.network['dtype']} by vLLM"

    def score_rows(self, rows: Sequence[TokenIds]) -> list[Outcome]:
        """Per row its numbers, [K]."""
        given = self._model.encode(
            [{"prompt_token_ids": row.ids} for row in rows],
            self._parameters,
            pooling_task="classify",
            use_tqdm=False,
        )
        return [self._output(each.outputs.data.double().cpu().numpy()).astype(np.float32) for each in given]

    def is_well(self) -> bool:
        """Its engine does not go on after a failure."""
        return False
