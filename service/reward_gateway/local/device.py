"""Chooses between CPU and GPU, from the setting and from what this machine has.

With ``gpu``, a GPU that is not usable is an error at start; ``auto`` uses one only if everything is present, and
reports what is missing. Triton's configuration and ``GET /v1/models`` show the device of each model.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reward_gateway.local.errors import StackError

Choice = Literal["cpu", "gpu", "auto"]

# Runs in the environment of the models: how many GPUs the driver shows, and whether ONNX Runtime's CUDA provider
# can be loaded with all its libraries. ONNX Runtime itself would only log a warning.
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
    """What the Python environment of the models supports.

    Attributes:
        gpus: NVIDIA GPUs that the driver shows.
        cuda: whether ONNX Runtime there was built with CUDA.
        fault: why its CUDA provider cannot be loaded; empty if it can.
    """

    gpus: int
    cuda: bool
    fault: str = ""

    def find_missing(self, gpus: tuple[int, ...] = ()) -> str:
        """Why these GPUs (or any, if none is given) are not usable, and what to do; empty if they are."""
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
    """Inspect the Python environment ``env`` of the models. Raises StackError if ONNX Runtime does not start there."""
    process = subprocess.run([env / "bin" / "python3", "-I", "-c", _QUESTION], capture_output=True, text=True)
    if process.returncode:
        last = process.stderr.strip().splitlines()[-1:] or ["no message"]
        raise StackError(f"ONNX Runtime does not start in {env}: {last[0]}. Run `make serve` to install it again.")
    return Facts(**json.loads(process.stdout.splitlines()[-1]))


def choose_device(choice: Choice, gpus: tuple[int, ...], ask: Callable[[], Facts]) -> tuple[bool, str]:
    """Decide whether the models run on GPUs; also returns a short explanation.

    Args:
        choice: the requested device.
        gpus: indices of the requested GPUs; empty for all.
        ask: inspects the environment; not called for ``cpu``.

    Raises:
        StackError: a GPU was requested and is not usable.
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
