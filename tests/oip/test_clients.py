"""``tritonclient`` as it is: HTTP and gRPC, blocking and asyncio, binary and JSON, and streams."""

import asyncio
import queue
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as over_grpc
import tritonclient.grpc.aio as over_grpc_aio
import tritonclient.http as over_http
import tritonclient.http.aio as over_http_aio
from reward_gateway.grpc.infer_messages import pack_message, takes_long_to_parse

PROMPTS, RESPONSES = ["", "p", "grüße"], ["one", "bad", "three words here"]
BLOCKING = {"http": over_http, "grpc": over_grpc}
ASYNCIO = {"http": over_http_aio, "grpc": over_grpc_aio}


def column(client: Any, name: str, texts: Sequence[str], **how: Any) -> Any:
    tensor = client.InferInput(name, [len(texts), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=np.object_), **how)
    return tensor


def check(served: Any, answer: Any) -> None:
    rewards, valid = answer.as_numpy("reward"), answer.as_numpy("valid")
    assert (rewards.dtype, rewards.shape, valid.dtype, valid.shape) == (np.float32, (3, 1), np.bool_, (3, 1))
    assert valid.ravel().tolist() == [True, False, True]
    native = served.native("plain", PROMPTS, RESPONSES)
    assert native[1] is None
    assert rewards.ravel().tolist() == pytest.approx([native[0], 0.0, native[2]], rel=1e-6)


@pytest.mark.parametrize("protocol", BLOCKING)
def test_the_blocking_client(served: Any, protocol: str) -> None:
    module = BLOCKING[protocol]
    with module.InferenceServerClient(getattr(served, protocol)) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("plain")
        inputs = [column(module, "prompt", PROMPTS), column(module, "response", RESPONSES)]
        answer = client.infer("plain", inputs, request_id="7", timeout=30_000_000, parameters={"note": "kept"})
        check(served, answer)
        wanted = [module.InferRequestedOutput("valid")]
        only = client.infer("plain", inputs, outputs=wanted)
        assert only.as_numpy("reward") is None
        assert only.as_numpy("valid").shape == (3, 1)
        futures = [client.async_infer("plain", inputs) for _ in range(3)] if protocol == "http" else []
        for future in futures:
            check(served, future.get_result())


def test_the_http_client_with_json_tensors_and_compression(served: Any) -> None:
    with over_http.InferenceServerClient(served.http) as client:
        inputs = [
            column(over_http, "prompt", PROMPTS, binary_data=False),
            column(over_http, "response", RESPONSES, binary_data=False),
        ]
        outputs = [over_http.InferRequestedOutput(name, binary_data=False) for name in ("reward", "valid")]
        check(served, client.infer("plain", inputs, outputs=outputs))
        check(served, client.infer("plain", inputs, request_compression_algorithm="gzip"))


@pytest.mark.parametrize("protocol", ASYNCIO)
def test_the_asyncio_client(served: Any, protocol: str) -> None:
    module = ASYNCIO[protocol]

    async def many() -> list[Any]:
        async with module.InferenceServerClient(getattr(served, protocol)) as client:
            assert await client.is_model_ready("plain")
            inputs = [column(module, "prompt", PROMPTS), column(module, "response", RESPONSES)]
            return list(await asyncio.gather(*(client.infer("plain", inputs) for _ in range(5))))

    for answer in asyncio.run(many()):
        check(served, answer)


@pytest.mark.parametrize("protocol", BLOCKING)
def test_errors_reach_the_client_as_words(served: Any, protocol: str) -> None:
    module = BLOCKING[protocol]
    with module.InferenceServerClient(getattr(served, protocol)) as client:
        texts = [column(module, "prompt", PROMPTS)]
        with pytest.raises(module.InferenceServerException, match="required inputs"):
            client.infer("plain", texts)
        with pytest.raises(module.InferenceServerException, match="no model of this name"):
            client.infer("nothing", texts)


def test_typed_contents_are_read_as_raw_ones_are(served: Any) -> None:
    import grpc
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    with grpc.insecure_channel(served.grpc) as channel:
        stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        request = service_pb2.ModelInferRequest(model_name="plain", id="7")
        for name, texts in (("prompt", PROMPTS), ("response", RESPONSES)):
            tensor = request.inputs.add(name=name, datatype="BYTES", shape=(3, 1))
            tensor.contents.bytes_contents.extend(text.encode() for text in texts)
        answer = stub.ModelInfer(request)
        assert (answer.id, [output.name for output in answer.outputs]) == ("7", ["reward", "valid"])
        rewards = np.frombuffer(answer.raw_output_contents[0], "<f4").tolist()
        native = served.native("plain", PROMPTS, RESPONSES)
        assert rewards == pytest.approx([native[0], 0.0, native[2]])

        request.inputs[0].contents.int64_contents.append(1)
        with pytest.raises(grpc.RpcError) as refused:
            stub.ModelInfer(request)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "bytes_contents" in str(refused.value.details())

        request.inputs[0].contents.Clear()
        request.raw_input_contents.append(b"")
        with pytest.raises(grpc.RpcError) as refused:
            stub.ModelInfer(request)
        assert "1 tensors for 2 inputs" in str(refused.value.details())


def test_large_messages_are_parsed_in_a_worker_with_the_same_answers(served: Any) -> None:
    import grpc
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    request = service_pb2.ModelInferRequest(model_name="plain", id="8")
    for name, texts in (("prompt", PROMPTS), ("response", RESPONSES), ("reference", ["x" * 180_000] * 3)):
        tensor = request.inputs.add(name=name, datatype="BYTES", shape=(3, 1))
        tensor.contents.bytes_contents.extend(text.encode() for text in texts)
    assert takes_long_to_parse(request.SerializeToString())
    packed = pack_message(request.SerializeToString())
    assert not takes_long_to_parse(packed), "raw tensors are only copied"
    assert takes_long_to_parse(packed + b"\x38"), "a field that does not end"
    with grpc.insecure_channel(served.grpc) as channel:
        stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answer = stub.ModelInfer(request)
        assert answer == stub.ModelInfer(service_pb2.ModelInferRequest.FromString(packed))
        assert answer.id == "8"

        request.inputs[0].contents.int64_contents.append(1)
        with pytest.raises(grpc.RpcError) as refused:
            stub.ModelInfer(request)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "bytes_contents" in str(refused.value.details())


def test_a_stream_answers_in_order_and_goes_on_after_an_error(served: Any) -> None:
    answers: queue.Queue[Any] = queue.Queue()
    with over_grpc.InferenceServerClient(served.grpc) as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        for i in range(40):
            name = "nothing" if i == 20 else "plain"
            client.async_stream_infer(name, [column(over_grpc, "response", ["a" * i])], request_id=str(i))
        got = [answers.get(timeout=120) for _ in range(40)]
        client.stop_stream()
    for i, (result, error) in enumerate(got):
        if i == 20:
            assert "no model of this name" in str(error)
        else:
            assert error is None
            assert result.get_response().id == str(i)
            assert result.as_numpy("reward").tolist() == [[2.0 * i]]


def test_a_key_goes_in_the_metadata_and_probes_need_none(serve: Any, tmp_path: Any) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys:\n  - {name: trainer, key: trainer-key, rights: [score]}\n")
    with serve(api_keys_file=keys) as served, over_grpc.InferenceServerClient(served.grpc) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        inputs = [column(over_grpc, "response", ["a"])]
        with pytest.raises(over_grpc.InferenceServerException, match="UNAUTHENTICATED"):
            client.infer("plain", inputs)
        answer = client.infer("plain", inputs, headers={"authorization": "Bearer trainer-key"})
        assert answer.as_numpy("reward").tolist() == [[2.0]]


def test_a_deadline_ends_a_call_on_grpc_too(serve: Any) -> None:
    with serve() as served, over_grpc.InferenceServerClient(served.grpc) as client:
        served.models.slow_s = 1.0
        inputs = [column(over_grpc, "response", ["a"])]
        with pytest.raises(over_grpc.InferenceServerException, match=r"(?i)deadline"):
            client.infer("plain", inputs, timeout=50_000)
        with pytest.raises(over_grpc.InferenceServerException, match=r"(?i)deadline"):
            client.infer("plain", inputs, client_timeout=0.05)
