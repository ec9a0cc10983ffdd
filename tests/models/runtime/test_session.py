"""Where a graph runs and with how many threads is decided at start, or refused in words."""

import numpy as np
import onnxruntime
import pytest
from reward_models.repository import REPOSITORY
from reward_models.runtime.session import CUDA, GPU_MEMORY_VARIABLE, THREADS_VARIABLE, Device, Session, count_threads

GRAPH = REPOSITORY / "text_preference" / "1" / "encoder.onnx"


def options(device: Device) -> dict[str, str]:
    provider, said = device.list_providers()[0]
    assert provider == CUDA
    return dict(said)


@pytest.fixture
def cuda_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ONNX Runtime that says it was built with CUDA."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, "CPUExecutionProvider"])


def test_a_cpu_instance_runs_on_the_cpu() -> None:
    assert Device("CPU").list_providers() == ["CPUExecutionProvider"]


@pytest.mark.usefixtures("cuda_said")
def test_a_gpu_instance_asks_for_its_own_gpu() -> None:
    assert options(Device("GPU", 3))["device_id"] == "3"


@pytest.mark.usefixtures("cuda_said")
def test_a_gpu_keeps_the_precision_of_the_graph() -> None:
    assert options(Device("GPU"))["use_tf32"] == "0"


@pytest.mark.usefixtures("cuda_said")
def test_a_model_takes_of_a_gpu_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "gpu_mem_limit" not in options(Device("GPU"))
    monkeypatch.setenv(GPU_MEMORY_VARIABLE, "1073741824")
    assert options(Device("GPU"))["gpu_mem_limit"] == "1073741824"


def test_a_runtime_without_cuda_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(RuntimeError, match=r"install requirements/triton-gpu\.txt"):
        Device("GPU").list_providers()


@pytest.mark.stack
@pytest.mark.usefixtures("cuda_said")
def test_a_gpu_that_cannot_be_started_is_never_replaced_by_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    # What ONNX Runtime does where CUDA's libraries are missing: a warning, and a session on the CPU.
    start = onnxruntime.InferenceSession

    def fallen_back(graph: str, given: object, providers: object) -> object:
        return start(graph, given, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", fallen_back)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    with pytest.raises(RuntimeError, match="It does not run on the CPU instead"):
        Session(GRAPH, Device("GPU"))


@pytest.mark.stack
@pytest.mark.parametrize("shape", [(1, 5), (3, 40)])
def test_bound_to_memory_or_not_a_graph_gives_the_same_numbers(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    inputs = {"input_ids": rng.integers(1000, 20000, shape), "attention_mask": np.ones(shape, np.int64)}
    plain, bound = (Session(GRAPH, Device(), bound=bound).run_graph(inputs) for bound in (False, True))
    assert len(plain) == len(bound) == 1
    np.testing.assert_array_equal(plain[0], bound[0])


@pytest.mark.stack
def test_bound_inputs_may_be_views_and_outputs_outlive_the_next_run() -> None:
    session = Session(GRAPH, Device(), bound=True)
    wide = np.arange(1000, 1080).reshape(2, 40)
    inputs = {"input_ids": wide[:, ::2], "attention_mask": np.ones((2, 20), np.int64)}
    (first,) = session.run_graph(inputs)
    kept = first.copy()
    session.run_graph(inputs | {"input_ids": wide[:, 1::2]})
    np.testing.assert_array_equal(first, kept)


def test_threads_are_those_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "3")
    assert count_threads() == 3


@pytest.mark.parametrize("asked", ["0", "-1", "two"])
def test_a_number_of_threads_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, asked)
    with pytest.raises(ValueError, match=THREADS_VARIABLE):
        count_threads()
