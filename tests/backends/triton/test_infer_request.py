"""The message of an infer call is, byte for byte of its fields, what Protocol Buffers would have made of it."""

from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.backends.port import ModelInfo
from reward_gateway.backends.triton.infer_request import encode_infer_request
from reward_gateway.backends.triton.model_config import TritonModel
from reward_gateway.backends.triton.tensors import frame_value
from tritonclient.grpc import service_pb2

values = st.lists(st.tuples(st.binary(max_size=400), st.binary(max_size=20)), min_size=1, max_size=40)


def model(name: str = "m", version: str = "3", outputs: tuple[str, ...] = ("score", "flags")) -> TritonModel:
    return TritonModel(ModelInfo(name, version, True, ("x", "y"), ("score",), 64), version, outputs=outputs)


def expected(
    name: str, version: str, tensors: dict[str, list[bytes]], rows: int, outputs: tuple[str, ...]
) -> "service_pb2.ModelInferRequest":
    request = service_pb2.ModelInferRequest(model_name=name, model_version=version)
    for tensor, column in tensors.items():
        request.inputs.add(name=tensor, datatype="BYTES", shape=(rows, 1))
        request.raw_input_contents.append(b"".join(map(frame_value, column)))
    for output in outputs:
        request.outputs.add(name=output)
    return request


@given(values)
def test_it_reads_as_the_call_with_its_tensors(rows: list[tuple[bytes, bytes]]) -> None:
    tensors = {"x": [row[0] for row in rows], "y": [row[1] for row in rows]}
    sent = service_pb2.ModelInferRequest.FromString(encode_infer_request(model(), tensors, len(rows)))
    assert sent == expected("m", "", tensors, len(rows), ("score", "flags"))


def test_lengths_of_every_number_of_bytes_are_read() -> None:
    for size in (0, 1, 120, 123, 124, 127, 128, 16_379, 16_380, 16_384, 2_097_147, 2_097_148, 3_000_000):
        tensors = {"x": [b"a" * size]}
        sent = service_pb2.ModelInferRequest.FromString(encode_infer_request(model(), tensors, 1))
        assert sent == expected("m", "", tensors, 1, ("score", "flags"))


def test_a_version_is_asked_only_where_it_was_requested() -> None:
    tensors = {"x": [b"a"]}
    for asked, version in ((model("m", "3"), ""), (model("m", "3").pin_version(), "3")):
        sent = service_pb2.ModelInferRequest.FromString(encode_infer_request(asked, tensors, 1))
        assert (sent.model_name, sent.model_version) == ("m", version)


def test_models_versions_and_outputs_do_not_mix() -> None:
    tensors = {"x": [b"a", b"b"]}
    for name in ("m", "n"):
        for outputs in (("score",), ("score", "vector")):
            for rows in (1, 2):
                cut = {"x": tensors["x"][:rows]}
                data = encode_infer_request(model(name, outputs=outputs), cut, rows)
                assert service_pb2.ModelInferRequest.FromString(data) == expected(name, "", cut, rows, outputs)
