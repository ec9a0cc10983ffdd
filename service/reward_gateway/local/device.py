"""The one switch from CPU to GPU: what was asked for, what this machine has, and so where the models run.

A GPU that was asked for and cannot be driven stops the start; ``auto`` takes one only where everything is there, and
says what is missing. What each model then runs on stands in Triton's configuration, and in ``GET /v1/models``.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reward_gateway.local.errors import StackError

Choice = Literal["cpu", "gpu", "auto"]

# Asked of the environment that the models run in: how many GPUs the driver shows, and whether ONNX Runtime's CUDA
# provider can be loaded with all that it links against. ONNX Runtime itself would say so only in a warning.
_QUESTION = """
import contextlib, ctypes, json, os, sys
import onnxruntime
gpus = ctypes.c_int()
with contextlib.suppress(OSError):
    driver = ctypes.CDLL("libcuda.so.1")
    driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(gpus))
cuda, fault = "CUDAExecutionProvider" in onnxruntime.get_available_providers(), ""
if cuda:
    with contextlib.redirect_stdout(sys.stderr):
        onnxruntime.preload_dlls()
    try:
        for part in "shared", "cuda":
            library = f"libonnxruntime_providers_{part}.so"
            ctypes.CDLL(os.path.join(os.path.dirname(onnxruntime.__file__), "capi", library), ctypes.RTLD_GLOBAL)
    except OSError as error:
        fault = str(error)
print(json.dumps({"gpus": gpus.value, "cuda": cuda, "fault": fault}))
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the environment of the models can drive.

    Attributes:
        gpus: NVIDIA GPUs that the driver shows.
        cuda: whether ONNX Runtime there was built with CUDA.
        fault: why its CUDA provider cannot be loaded; empty if it can.
    """

    gpus: int
    cuda: bool
    fault: str = ""

    def find_missing(self, gpus: tuple[int, ...] = ()) -> str:
        """Why these GPUs (or any, if none is named) cannot be used, and what to do; empty if they can."""
        if not self.cuda:
            return "ONNX Runtime has no CUDA provider there: run `make serve DEVICE=gpu`, which installs it"
        if self.fault:
            return f"ONNX Runtime cannot load its CUDA provider ({self.fault}): run `make serve DEVICE=gpu` again"
        if not self.gpus:
            return "the driver shows no NVIDIA GPU: see whether nvidia-smi lists one, and CUDA_VISIBLE_DEVICES"
        if unknown := [gpu for gpu in gpus if gpu >= self.gpus]:
            return f"there is no GPU {', '.join(map(str, unknown))}: the driver shows {self.gpus}, counted from 0"
        return ""


def read_facts(env: Path) -> Facts:
    """Ask the Python environment ``env`` of the models. Raises StackError if it has no ONNX Runtime that starts."""
    asked = subprocess.run([env / "bin" / "python3", "-I", "-c", _QUESTION], capture_output=True, text=True)
    if asked.returncode:
        last = asked.stderr.strip().splitlines()[-1:] or ["no message"]
        raise StackError(f"ONNX Runtime does not start in {env}: {last[0]}. Run `make serve` to install it anew.")
    return Facts(**json.loads(asked.stdout.splitlines()[-1]))


def choose_device(choice: Choice, gpus: tuple[int, ...], ask: Callable[[], Facts]) -> tuple[bool, str]:
    """Whether the models run on GPUs, and why in a few words.

    Args:
        choice: what was asked for.
        gpus: numbers of the GPUs that are wanted; empty for all.
        ask: looks at the environment; not called where the CPU was asked for.

    Raises:
        StackError: a GPU was asked for, and cannot be used.
    """
    if choice == "cpu":
        return False, "models run on the CPU"
    lacking = ask().find_missing(gpus)
    if not lacking:
        where = f"GPU {', '.join(map(str, gpus))}" if gpus else "every GPU"
        return True, f"models run on {where} (CUDA)"
    if choice == "auto":
        return False, f"models run on the CPU; {lacking}"
    raise StackError(f"the models were to run on a GPU, and {lacking}. Or leave the device at cpu.")
