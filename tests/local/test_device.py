"""One switch: the CPU, a GPU that works or none at all, or whichever there is."""

from pathlib import Path

import pytest
from reward_gateway.local import device
from reward_gateway.local.device import Facts, choose_device
from reward_gateway.local.errors import StackError
from reward_gateway.settings import Settings

WORKING = Facts(gpus=2, cuda=True)
LACKING = {
    "make serve DEVICE=gpu": Facts(gpus=1, cuda=False),
    "libcublasLt": Facts(gpus=1, cuda=True, fault="libcublasLt.so.13: cannot open shared object file"),
    "nvidia-smi": Facts(gpus=0, cuda=True),
}


def test_the_cpu_is_taken_without_a_look_at_the_gpus() -> None:
    def never() -> Facts:
        raise AssertionError("it looked")

    assert choose_device("cpu", (), never) == (False, "models run on the CPU")


@pytest.mark.parametrize("choice", ["gpu", "auto"])
def test_gpus_that_work_are_taken(choice: device.Choice) -> None:
    assert choose_device(choice, (), lambda: WORKING) == (True, "models run on every GPU (CUDA)")
    assert choose_device(choice, (1,), lambda: WORKING) == (True, "models run on GPU 1 (CUDA)")


@pytest.mark.parametrize("says", LACKING)
def test_a_gpu_that_does_not_work_is_refused_with_what_to_do(says: str) -> None:
    with pytest.raises(StackError, match=says):
        choose_device("gpu", (), lambda: LACKING[says])


@pytest.mark.parametrize("says", LACKING)
def test_auto_says_why_it_stays_on_the_cpu(says: str) -> None:
    on_gpu, why = choose_device("auto", (), lambda: LACKING[says])
    assert not on_gpu
    assert says in why


def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(StackError, match="no GPU 2, 5: the driver shows 2"):
        choose_device("gpu", (0, 2, 5), lambda: WORKING)


@pytest.mark.stack
def test_the_environment_that_serves_on_a_cpu_has_no_cuda() -> None:
    found = device.read_facts(Settings().triton_env)
    assert (found.cuda, found.fault) == (False, "")


def test_an_environment_without_onnx_runtime_is_named(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'onnxruntime'\" >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(StackError, match="No module named 'onnxruntime'"):
        device.read_facts(tmp_path)
