"""What vLLM's processes import for OpenRLHF on a CPU: its extension of a worker."""

from typing import Any

import on_cpu
import torch

on_cpu.set_up()

from openrlhf.trainer.ray.vllm_worker_wrap import WorkerWrap  # noqa: E402


class Worker(WorkerWrap):  # type: ignore[misc]
    """Receives weights on the CPU, where vLLM has packed the old ones: all are loaded at once, as it reloads them."""

    def init_process_group(self, *args: Any, **named: Any) -> None:
        super().init_process_group(*args, **named)
        self.arrived: dict[str, torch.Tensor] = {}

    def update_weight(self, name: str, dtype: torch.dtype, shape: torch.Size, empty_cache: bool = False) -> None:
        """``empty_cache`` is said with the last weight."""
        weight = torch.empty(shape, dtype=dtype)
        self._model_update_group.broadcast(weight, src=0, stream=None)
        self.arrived[name] = weight
        if empty_cache:
            self.model_runner.reload_weights(iter(self.arrived.items()))
            self.arrived.clear()
