"""A real Triton over a repository of small models that the tests write."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
from reward_gateway.admin.loaded_models import LoadedModels
from reward_gateway.backends.triton.servers import TritonServers
from reward_gateway.local.sockets import socket_folder
from reward_gateway.local.triton import triton_child
from reward_gateway.settings import Settings
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.backends.triton.opening import open_tritons

COUNTING = """
import time
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        def column(name):
            tensor = pb_utils.get_input_tensor_by_name(request, name)
            return None if tensor is None else [value.decode() for value in tensor.as_numpy().reshape(-1)]

        prompts, responses = column("prompt"), column("response")
        rows = len(responses)
        scores, flags, errors = np.zeros((rows, 2), np.float32), np.zeros((rows, 1), np.uint32), [""] * rows
        for row, (prompt, response) in enumerate(zip(prompts, responses)):
            if response == "raise":
                return pb_utils.InferenceResponse([], pb_utils.TritonError("message: ValueError: the secret prompt"))
            if response.startswith("sleep"):
                time.sleep(float(response.split()[1]))
            scores[row] = len(prompt), float(response) if response.lstrip("-").isdigit() else len(response)
            if response == "nan":
                scores[row] = np.nan
            if response == "cut":
                flags[row] = 0b101
            if response == "bad":
                errors[row] = "invalid_media: It is no picture."
                scores[row] = np.nan
            if response == "odd":
                errors[row] = "It is odd."
        tensors = [
            pb_utils.Tensor("score", scores),
            pb_utils.Tensor("flags", flags),
            pb_utils.Tensor("error", np.array(errors, object).reshape(rows, 1)),
        ]
        asked = request.requested_output_names()
        return pb_utils.InferenceResponse([tensor for tensor in tensors if tensor.name() in asked])
"""

FIELDS = """
import json
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        columns = {t.name(): list(t.as_numpy().reshape(-1)) for t in request.inputs()}
        rows = len(columns["response"])
        scores = np.zeros((rows, 7), np.float32)
        for row in range(rows):
            messages = json.loads(columns["messages"][row] or "[]") if "messages" in columns else []
            features = json.loads(columns["features"][row] or "{}")
            scores[row] = (
                len(columns["prompt"][row]), len(columns["response"][row]), len(messages),
                len(columns["reference"][row]), len(columns["images"][row]), features.get("x", -1),
                len(columns["steps"][row]),
            )
        return pb_utils.InferenceResponse([pb_utils.Tensor("score", scores)])
"""

BARE = """
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        columns = [pb_utils.get_input_tensor_by_name(request, "response").as_numpy()[:, 0] for request in requests]
        lengths = [[len(value) for value in column] for column in columns]
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor("score", np.array(n, np.float32).reshape(-1, 1))])
            for n in lengths
        ]
"""


def tensor(name: str, kind: str = "TYPE_STRING", dims: int = 1, optional: bool = False) -> str:
    return f'{{ name: "{name}" data_type: {kind} dims: [{dims}]{" optional: true" if optional else ""} }}'


def write_model(
    repository: Path,
    name: str,
    code: str,
    tensors_in: list[str],
    tensors_out: list[str],
    max_batch: int = 64,
    queue: str = "",
    **parameters: str,
) -> None:
    """A folder that Triton loads as a Python model."""
    said = "".join(
        f"""parameters {{ key: "{key}" value {{ string_value: '{value}' }} }}\n""" for key, value in parameters.items()
    )
    folder = repository / name
    (folder / "1").mkdir(parents=True, exist_ok=True)
    (folder / "1" / "model.py").write_text(code)
    (folder / "config.pbtxt").write_text(
        f'name: "{name}"\nbackend: "python"\nmax_batch_size: {max_batch}\n'
        f"input [{', '.join(tensors_in)}]\noutput [{', '.join(tensors_out)}]\n"
        f"instance_group [{{ count: 1 kind: KIND_CPU }}]\ndynamic_batching {{ {queue} }}\n{said}"
    )


def write_counting(repository: Path, content_version: str) -> None:
    write_model(
        repository,
        "counting",
        COUNTING,
        [tensor("prompt"), tensor("response")],
        [tensor("score", "TYPE_FP32", 2), tensor("flags", "TYPE_UINT32"), tensor("error")],
        dimensions="prompt,response",
        flags="truncated,quoted,out_of_distribution",
        content_version=content_version,
        card='{"summary": "counts characters"}',
    )


def write_repository(repository: Path) -> None:
    plain = [tensor("prompt"), tensor("response")]
    score = [tensor("score", "TYPE_FP32")]
    write_counting(repository, "a")
    every = [tensor(name, optional=True) for name in ("messages", "reference", "images", "features", "steps")]
    write_model(
        repository,
        "fields",
        FIELDS,
        [*plain, *every],
        [tensor("score", "TYPE_FP32", 7)],
        inputs="prompt,response,messages,reference?,images,features,steps",
    )
    write_model(repository, "bare", BARE, plain, score, max_batch=8)
    write_model(repository, "tokens", BARE, [tensor("ids", "TYPE_INT32")], score)
    write_model(repository, "spare", BARE, plain, score)
    write_model(
        repository,
        "narrow",
        COUNTING,
        plain,
        [tensor("score", "TYPE_FP32", 2)],
        max_batch=1,
        queue="default_queue_policy { max_queue_size: 1 }",
    )


class Triton:
    """A server of our own that may be killed and started again at its address."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        write_repository(self.repository)
        built = Settings().triton_env
        environment = built if built.exists() else Path(sys.prefix)
        settings = Settings(model_repository=self.repository, state_dir=folder / "state", triton_env=environment)
        models = ("counting", "fields", "bare", "tokens", "narrow")
        self.held = contextlib.ExitStack()
        sockets = self.held.enter_context(socket_folder())
        self.child, self.url = triton_child(settings, models, folder, sockets, LoadedModels(folder))
        self.log = (folder / "triton.log").open("wb")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        argv = [*self.child.argv, *self.child.late_arguments()]
        self.process = subprocess.Popen(argv, env=self.child.env, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 240
        with grpc.insecure_channel(self.url) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    if stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=1, wait_for_ready=True).ready:
                        return
                except grpc.RpcError:
                    pass
                time.sleep(0.05)
        raise RuntimeError(f"Triton did not start: {Path(self.log.name).read_text()[-2000:]}")

    def write_counting(self, content_version: str) -> None:
        write_counting(self.repository, content_version)

    def load(self, model: str) -> None:
        with grpc.insecure_channel(self.url) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            stub.RepositoryModelLoad(service_pb2.RepositoryModelLoadRequest(model_name=model), timeout=120)

    def unload(self, model: str) -> None:
        with grpc.insecure_channel(self.url) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            stub.RepositoryModelUnload(service_pb2.RepositoryModelUnloadRequest(model_name=model), timeout=120)

    def executions(self, model: str) -> int:
        """Infer calls that the model has run, before Triton's own batching."""
        with grpc.insecure_channel(self.url) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            answer = stub.ModelStatistics(service_pb2.ModelStatisticsRequest(name=model), timeout=60)
            return int(answer.model_stats[0].inference_stats.success.count)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        if self.process is not None and self.child.clean_up is not None:
            self.child.clean_up(self.process.pid, True)
        self.held.close()


@pytest.fixture(scope="session")
def triton_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    server = Triton(tmp_path_factory.mktemp("triton"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
async def models(triton_server: Triton, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TritonServers]:
    monkeypatch.setattr("reward_gateway.backends.triton.server.LOOKUP_TIMEOUT_S", 60.0)
    # Calls are not cut by the time that they take, which says something about the machine.
    server = open_tritons(triton_server.url, info_ttl_s=0.2, max_in_flight_s=3600)
    try:
        yield server
    finally:
        await server.close()
