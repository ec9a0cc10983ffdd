"""Where a graph runs and with how many threads is decided at start, or refused in words."""

import onnxruntime
import pytest
from reward_models.runtime.session import THREADS_VARIABLE, Device, threads


def test_a_cpu_instance_runs_on_the_cpu() -> None:
    assert Device("CPU").providers() == ["CPUExecutionProvider"]


def test_a_gpu_instance_asks_for_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    assert Device("GPU", 3).providers()[0] == ("CUDAExecutionProvider", {"device_id": 3})


def test_a_gpu_that_the_runtime_cannot_drive_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(RuntimeError, match="install onnxruntime-gpu"):
        Device("GPU").providers()


def test_threads_are_those_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "3")
    assert threads() == 3


@pytest.mark.parametrize("asked", ["0", "-1", "two"])
def test_a_number_of_threads_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, asked)
    with pytest.raises(ValueError, match=THREADS_VARIABLE):
        threads()
