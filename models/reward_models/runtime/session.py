"""ONNX Runtime sessions: device and number of threads, fixed at start.

Triton's instance group selects the device (``KIND_CPU`` or ``KIND_GPU``); it is logged and never changes at run time.
ONNX Runtime falls back to the CPU with a warning if it cannot load CUDA's libraries; here that is an error.
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
GPU_MEMORY_VARIABLE = "REWARD_MODELS_GPU_MEMORY"
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@dataclass(frozen=True, slots=True)
class Device:
    """Where a model instance runs: Triton's kind (``CPU`` or ``GPU``) and the number of the GPU."""

    kind: str = "CPU"
    number: int = 0

    def list_providers(self) -> list[Any]:
        """ONNX Runtime's execution providers, best first. Raises RuntimeError for a GPU without the CUDA provider."""
        if self.kind != "GPU":
            return [CPU]
        if CUDA not in onnxruntime.get_available_providers():
            raise RuntimeError(
                "The instance group is KIND_GPU, but this ONNX Runtime has no CUDA provider: install "
                "requirements/triton-gpu.txt in Triton's environment (`make serve DEVICE=gpu` does), or run on the CPU."
            )
        return [(CUDA, self.cuda_options()), CPU]  # the CPU for the few shape operators without a CUDA kernel

    def cuda_options(self) -> dict[str, str]:
        """Options of the CUDA provider.

        Memory grows by the requested size instead of powers of two, as several models share a GPU; convolution
        algorithms are chosen heuristically, as trying all at each new image size takes seconds; TF32 is off, as its
        ten bits of mantissa would change scores, and cached ones, by 1e-3.
        """
        options = {
            "device_id": str(self.number),
            "arena_extend_strategy": "kSameAsRequested",
            "cudnn_conv_algo_search": "HEURISTIC",
            "use_tf32": "0",
        }
        limit = gpu_memory_limit()
        return options | ({"gpu_mem_limit": str(limit)} if limit else {})


def count_threads() -> int:
    """Threads a session may use: REWARD_MODELS_THREADS, else half of the cores (two models share the machine).

    Raises ValueError if the variable is not a positive whole number.
    """
    return read_positive(THREADS_VARIABLE, "threads") or max(1, len(os.sched_getaffinity(0)) // 2)


def gpu_memory_limit() -> int:
    """GPU memory per session in bytes: REWARD_MODELS_GPU_MEMORY; 0, the default, is no limit.

    Raises ValueError if the variable is not a positive whole number.
    """
    return read_positive(GPU_MEMORY_VARIABLE, "bytes")


def read_positive(variable: str, of: str) -> int:
    """A variable as a positive whole number, or 0 if it is not set. Raises ValueError for other values."""
    value = os.environ.get(variable, "")
    if not value:
        return 0
    if not value.isdigit() or int(value) < 1:
        raise ValueError(f"{variable} is {value!r}: give a positive whole number of {of}.")
    return int(value)


class Session:
    """A graph, loaded. ``run`` may be called from several threads; ``metadata`` is the graph's own.

    Args:
        graph: an ONNX file.
        device: where it runs.
        bound: bind inputs and outputs to the device's memory; by default only on a GPU, as on a CPU a plain run
            copies less.

    Raises:
        RuntimeError: the device is a GPU that ONNX Runtime cannot use.
    """

    def __init__(self, graph: Path, device: Device, bound: bool | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = count_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Idle threads that spin would take the cores from the other models and from the gateway.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = device.list_providers()
        if device.kind == "GPU" and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()  # CUDA and cuDNN as Python packages are on no library path
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=providers)
        self.providers: list[str] = self._session.get_providers()
        if device.kind == "GPU" and self.providers[0] != CUDA:
            raise RuntimeError(
                f"{graph.name} was to run on GPU {device.number}, and ONNX Runtime could not start CUDA: see its "
                "message above (a driver that is too old, no GPU in sight, or CUDA's and cuDNN's libraries missing). "
                "It does not run on the CPU instead."
            )
        self._bound = device.kind == "GPU" if bound is None else bound
        self._memory = ("cuda", device.number) if device.kind == "GPU" else ("cpu", 0)
        self._outputs: list[str] = [output.name for output in self._session.get_outputs()]
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        where = f"GPU {device.number}" if device.kind == "GPU" else f"{options.intra_op_num_threads} threads"
        log.info("%s runs on %s, %s", graph.name, self.providers[0], where)

    def run_graph(self, inputs: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Every output of the graph, in its order, on the host."""
        if self._bound:
            return self._run_bound(inputs)
        outputs: list[NDArray[np.float32]] = self._session.run(None, inputs)
        return outputs

    def _run_bound(self, inputs: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """One copy of each input to the device, one of each output back; nothing else crosses."""
        binding = self._session.io_binding()
        for name, values in inputs.items():
            placed = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(values), *self._memory)
            binding.bind_ortvalue_input(name, placed)
        for name in self._outputs:
            binding.bind_output(name, "cpu")
        self._session.run_with_iobinding(binding)
        outputs: list[NDArray[np.float32]] = binding.copy_outputs_to_cpu()
        return outputs
