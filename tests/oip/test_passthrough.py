"""Models of the server behind keep their own names: their calls are handed on, and its refusals are told as ours."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from tritonclient.grpc import model_config_pb2
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import (
    GRPCInferenceServiceServicer,
    GRPCInferenceServiceStub,
    add_GRPCInferenceServiceServicer_to_server,
)


class Doubling(GRPCInferenceServiceServicer):  # type: ignore[misc]
    """A server with one model, ``doubling``: it echoes texts and doubles numbers; it fails as it is told."""

    failure: tuple[grpc.StatusCode, str] | None = None

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def _check(self, name: str, context: Any) -> None:
        if self.failure is not None:
            context.abort(*self.failure)
        if name != "doubling":
            context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{name}' is not found")

    def ServerReady(self, request: Any, context: Any) -> Any:
        return pb.ServerReadyResponse(ready=True)

    def RepositoryIndex(self, request: Any, context: Any) -> Any:
        names = ("doubling", "plain")  # the second has a recipe's name
        return pb.RepositoryIndexResponse(
            models=[pb.RepositoryIndexResponse.ModelIndex(name=name, version="3", state="READY") for name in names]
        )

    def ModelReady(self, request: Any, context: Any) -> Any:
        self._check(request.name, context)
        return pb.ModelReadyResponse(ready=request.version in ("", "3"))

    def ModelMetadata(self, request: Any, context: Any) -> Any:
        self._check(request.name, context)
        tensor = pb.ModelMetadataResponse.TensorMetadata(name="numbers", datatype="FP32", shape=(-1, 2))
        return pb.ModelMetadataResponse(name=request.name, versions=["3"], platform="python", inputs=[tensor])

    def ModelConfig(self, request: Any, context: Any) -> Any:
        if request.name == "plain":
            return pb.ModelConfigResponse(config=model_config_pb2.ModelConfig(name="plain", max_batch_size=8))
        self._check(request.name, context)
        parameters = {"flavour": model_config_pb2.ModelParameter(string_value="sour")}
        return pb.ModelConfigResponse(config=model_config_pb2.ModelConfig(name=request.name, parameters=parameters))

    def ModelStatistics(self, request: Any, context: Any) -> Any:
        return pb.ModelStatisticsResponse(model_stats=[pb.ModelStatistics(name="doubling", inference_count=5)])

    def ModelInfer(self, request: Any, context: Any) -> Any:
        self.seen.append(request)
        self._check(request.model_name, context)
        answer = pb.ModelInferResponse(model_name=request.model_name, model_version="3", id=request.id)
        answer.parameters["took"].int64_param = 4
        for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True):
            answer.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
            doubled = raw if tensor.datatype == "BYTES" else (np.frombuffer(raw, "<f4") * 2).tobytes()
            answer.raw_output_contents.append(doubled)
        return answer

    def ModelStreamInfer(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        for request in requests:
            for _ in range(2):  # a decoupled model gives several answers
                yield pb.ModelStreamInferResponse(infer_response=self.ModelInfer(request, context))


@pytest.fixture
def behind() -> Iterator[tuple[Doubling, str]]:
    """The server and its address."""
    server = grpc.server(ThreadPoolExecutor(4))
    servicer = Doubling()
    add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture
def gateway(serve: Any, behind: tuple[Doubling, str]) -> Iterator[Any]:
    with serve(triton=behind[1]) as served:
        yield served


NUMBERS = np.array([[0.5, 1.5], [2.5, -1.0]], np.float32)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_an_infer_call_is_handed_on_as_it_is(gateway: Any, behind: tuple[Doubling, str], protocol: str) -> None:
    module = {"http": over_http, "grpc": over_grpc}[protocol]
    with module.InferenceServerClient(getattr(gateway, protocol)) as client:
        numbers = module.InferInput("numbers", [2, 2], "FP32")
        numbers.set_data_from_numpy(NUMBERS)
        texts = module.InferInput("texts", [1], "BYTES")
        texts.set_data_from_numpy(np.array(["grüße".encode()], np.object_))
        wanted = [module.InferRequestedOutput("numbers"), module.InferRequestedOutput("texts")]
        answer = client.infer("doubling", [numbers, texts], outputs=wanted, request_id="7", parameters={"note": "x"})
        assert answer.as_numpy("numbers").tolist() == (NUMBERS * 2).tolist()
        assert answer.as_numpy("texts").tolist() == ["grüße".encode()]
    (seen,) = behind[0].seen
    assert (seen.model_name, seen.id, seen.parameters["note"].string_param) == ("doubling", "7", "x")
    assert [(t.name, t.datatype, list(t.shape)) for t in seen.inputs] == [
        ("numbers", "FP32", [2, 2]),
        ("texts", "BYTES", [1]),
    ]
    assert [output.name for output in seen.outputs] == ["numbers", "texts"]


def test_json_is_turned_into_tensors_and_back(gateway: Any) -> None:
    asked = {
        "inputs": [
            {"name": "numbers", "shape": [2, 2], "datatype": "FP32", "data": [[0.1, 1], [2, 3.5]]},
            {"name": "texts", "shape": [2], "datatype": "BYTES", "data": ["a", "ü"]},
        ]
    }
    answer = gateway.post("/v2/models/doubling/infer", asked)
    assert gateway.outputs(answer) == {"numbers": [0.2, 2.0, 4.0, 7.0], "texts": ["a", "ü"]}
    assert (answer.json()["model_version"], answer.json()["parameters"]) == ("3", {"took": 4})


def test_what_the_server_says_of_its_models_is_told(gateway: Any) -> None:
    assert gateway.get("/v2/models/doubling").json() == {
        "name": "doubling",
        "versions": ["3"],
        "platform": "python",
        "inputs": [{"name": "numbers", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [],
    }
    assert gateway.get("/v2/models/doubling/config").json()["parameters"] == {"flavour": {"string_value": "sour"}}
    assert gateway.get("/v2/models/doubling/versions/3/ready").status_code == 200
    gateway.refused(gateway.get("/v2/models/doubling/versions/4/ready"), 503)
    (row,) = gateway.get("/v2/models/doubling/stats").json()["model_stats"]
    assert (row["name"], row["inference_count"]) == ("doubling", 5)
    assert "doubling" in [row["name"] for row in gateway.get("/v2/models/stats").json()["model_stats"]]


def test_a_recipes_name_wins_over_a_models(gateway: Any) -> None:
    rows = gateway.post("/v2/repository/index", b"").json()
    assert [(row["name"], row["version"]) for row in rows if row["name"] in ("doubling", "plain")] == [
        ("plain", "1"),
        ("doubling", "3"),
    ]
    assert gateway.get("/v2/models/plain").json()["platform"] == "reward_gateway"


def test_a_recipe_cannot_be_chosen_for_a_model(gateway: Any) -> None:
    asked = {"inputs": [{"name": "numbers", "shape": [1], "datatype": "FP32", "data": [1.0]}]}
    gateway.refused(gateway.post("/v2/models/doubling/infer?reward=rule", asked), 422)


REFUSALS = [
    (grpc.StatusCode.NOT_FOUND, "Request for unknown model: 'x' is not found", 404),
    (grpc.StatusCode.INVALID_ARGUMENT, "unexpected shape for input 'numbers'", 422),
    (grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size", 503),
    (grpc.StatusCode.UNAVAILABLE, "connection reset", 503),
    (grpc.StatusCode.DEADLINE_EXCEEDED, "late", 504),
    (grpc.StatusCode.INTERNAL, "Traceback: /opt/models/doubling/1/model.py(3)", 500),
]


@pytest.mark.parametrize(("code", "words", "status"), REFUSALS)
def test_its_refusals_have_our_statuses(
    gateway: Any, behind: tuple[Doubling, str], code: grpc.StatusCode, words: str, status: int
) -> None:
    behind[0].failure = (code, words)
    asked = {"inputs": [{"name": "numbers", "shape": [1], "datatype": "FP32", "data": [1.0]}]}
    said = gateway.refused(gateway.post("/v2/models/doubling/infer", asked), status)
    assert "/opt" not in said


def test_every_answer_of_a_decoupled_model_comes_through_a_stream(gateway: Any) -> None:
    answers: list[Any] = []
    with over_grpc.InferenceServerClient(gateway.grpc) as client:
        client.start_stream(lambda result, error: answers.append((result, error)))
        numbers = over_grpc.InferInput("numbers", [2, 2], "FP32")
        numbers.set_data_from_numpy(NUMBERS)
        client.async_stream_infer("doubling", [numbers])
        client.stop_stream()
    assert [error for _, error in answers] == [None, None]
    assert answers[1][0].as_numpy("numbers").tolist() == (NUMBERS * 2).tolist()


def test_without_the_server_its_models_are_unavailable_and_rules_still_score(serve: Any) -> None:
    with serve(triton="127.0.0.1:1") as served:
        asked = {"inputs": [{"name": "numbers", "shape": [1], "datatype": "FP32", "data": [1.0]}]}
        served.refused(served.post("/v2/models/doubling/infer", asked), 503)
        assert served.outputs(served.post("/v2/models/rule/infer", served.texts(response=["a b c"])))["reward"] == [
            -0.25
        ]
        listed = [row["name"] for row in served.post("/v2/repository/index", {"ready": True}).json()]
        assert listed == ["right", "rule"]


def of_shared_memory(tensor: Any) -> None:
    tensor.parameters["shared_memory_region"].string_param = "triton_python_backend_shm_region_1"


def of_shape(*shape: int, raw: bytes, datatype: str = "FP32") -> "pb.ModelInferRequest":
    request = pb.ModelInferRequest(model_name="doubling", raw_input_contents=[raw])
    request.inputs.add(name="numbers", datatype=datatype, shape=shape)
    return request


ODD = {
    "an input in shared memory": lambda: of_shape(1, raw=bytes(4)),
    "an output in shared memory": lambda: of_shape(1, raw=bytes(4)),
    "more elements than bytes": lambda: of_shape(2**31, 2**31, raw=bytes(4)),
    "fewer elements than bytes": lambda: of_shape(1, raw=bytes(8)),
    "a negative dimension": lambda: of_shape(-1, -1, raw=bytes(4)),
    "more strings than bytes": lambda: of_shape(2**40, raw=b"\x01\0\0\0a", datatype="BYTES"),
    "an unknown datatype": lambda: of_shape(1, raw=bytes(4), datatype="FP128"),
    "no bytes for an input": lambda: pb.ModelInferRequest(
        model_name="doubling", inputs=[{"name": "numbers", "datatype": "FP32", "shape": [2]}]
    ),
}


@pytest.mark.parametrize("what", ODD)
def test_a_request_whose_sizes_lie_or_that_names_shared_memory_never_reaches_the_server(
    gateway: Any, behind: tuple[Doubling, str], what: str
) -> None:
    request = ODD[what]()
    if what == "an input in shared memory":
        of_shared_memory(request.inputs[0])
    if what == "an output in shared memory":
        of_shared_memory(request.outputs.add(name="numbers"))
    with grpc.insecure_channel(gateway.grpc) as channel:
        stub = GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.ModelInfer(request, timeout=60)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        (answer,) = stub.ModelStreamInfer(iter([request]), timeout=60)
        assert answer.error_message
    assert behind[0].seen == []
