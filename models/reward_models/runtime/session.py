"""ONNX Runtime sessions: where a graph runs and with how many threads, decided once, at start.

The instance group of ``config.pbtxt`` decides the device (``KIND_CPU`` or ``KIND_GPU``); the choice is logged and
kept in :class:`Session`, never changed at run time.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

log = logging.getLogger("reward_models")

THREADS_VARIABLE = "REWARD_MODELS_THREADS"


@dataclass(frozen=True, slots=True)
class Device:
    """Where a model instance runs: Triton's kind (``CPU`` or ``GPU``) and the number of the GPU."""

    kind: str = "CPU"
    number: int = 0

    def providers(self) -> list[Any]:
        """ONNX Runtime's execution providers, best first. Raises RuntimeError for a GPU that it cannot drive."""
        if self.kind != "GPU":
            return ["CPUExecutionProvider"]
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise RuntimeError(
                "config.pbtxt asks for KIND_GPU, but this ONNX Runtime has no CUDA provider: "
                "install onnxruntime-gpu in Triton's environment, or set the instance group to KIND_CPU."
            )
        return [("CUDAExecutionProvider", {"device_id": self.number}), "CPUExecutionProvider"]


def threads() -> int:
    """Threads a session may use: REWARD_MODELS_THREADS, else half of the cores (two models share the machine).

    Raises ValueError if the variable is not a positive whole number.
    """
    asked = os.environ.get(THREADS_VARIABLE, "")
    if not asked:
        return max(1, len(os.sched_getaffinity(0)) // 2)
    if not asked.isdigit() or int(asked) < 1:
        raise ValueError(f"{THREADS_VARIABLE} is {asked!r}: give a positive whole number of threads.")
    return int(asked)


class Session:
    """A graph, loaded. ``run`` may be called from several threads; ``metadata`` is what the graph says of itself."""

    def __init__(self, graph: Path, device: Device) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Idle threads that spin would take the cores from the other models and from the gateway.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=device.providers())
        self.providers: list[str] = self._session.get_providers()
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        log.info("%s runs on %s with %d threads", graph.name, self.providers[0], options.intra_op_num_threads)

    def run(self, inputs: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Every output of the graph, in its order."""
        outputs: list[NDArray[np.float32]] = self._session.run(None, inputs)
        return outputs
