"""An infer request on HTTP to the protocol's message: JSON, with tensors in it or as binary behind it."""

import math
from collections.abc import Mapping
from itertools import chain
from typing import Any

import msgspec
from tritonclient.grpc import service_pb2 as pb

from reward_gateway.errors import InvalidRequest, MalformedBody
from reward_gateway.intake.decode import decode
from reward_gateway.intake.nesting import check_nesting
from reward_gateway.oip.datatypes import Datatype
from reward_gateway.oip.tensors import find_datatype, pack_values
from reward_gateway.whole_numbers import parse_whole

Parameters = dict[str, bool | int | float | str]


class InputTensor(msgspec.Struct):
    """A tensor that is sent; ``data`` in row-major order, flat or nested, unless it is binary."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    parameters: Parameters = {}


class OutputTensor(msgspec.Struct):
    """A tensor that is asked for."""

    name: str
    parameters: Parameters = {}


class InferRequest(msgspec.Struct):
    """The JSON of an infer request."""

    inputs: list[InputTensor]
    id: str | None = None
    outputs: list[OutputTensor] | None = None
    parameters: Parameters = {}


_decoder = msgspec.json.Decoder(InferRequest)


class BinaryWanted:
    """Which outputs the client wants as binary: those it said so of, else all or none."""

    def __init__(self, request: InferRequest) -> None:
        self._default = bool(request.parameters.get("binary_data_output", False))
        self._by_output = {
            output.name: bool(output.parameters["binary_data"])
            for output in request.outputs or ()
            if "binary_data" in output.parameters
        }

    def __contains__(self, name: object) -> bool:
        return self._by_output.get(str(name), self._default)


def parse_infer_request(
    body: bytes, json_length: str | None, model: str, version: str, max_nesting: int
) -> tuple["pb.ModelInferRequest", BinaryWanted]:
    """The request in a body.

    Args:
        json_length: the header ``Inference-Header-Content-Length``: bytes of JSON before the binary tensors.

    Raises:
        MalformedBody: no JSON, or a length that the body does not have.
        InvalidRequest: JSON of another shape, or a tensor whose data are not what it says.
    """
    length = _parse_length(json_length, len(body))
    text, rest = body[:length], memoryview(body)[length:]
    infer_request = decode(_decoder, text, max_nesting)
    check_nesting(text, max_nesting)
    request = pb.ModelInferRequest(model_name=model, model_version=version, id=infer_request.id or "")
    _add_parameters(request.parameters, infer_request.parameters, "binary_data_output")
    offset = 0
    for i, tensor in enumerate(infer_request.inputs):
        path = f"inputs[{i}]"
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            raw = _encode_data(tensor, path)
        else:
            raw = _take_binary(tensor, size, rest[offset:], path)
            offset += len(raw)
        entry = request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=_check_shape(tensor, path))
        _add_parameters(entry.parameters, tensor.parameters, "binary_data_size")
        request.raw_input_contents.append(raw)
    if offset != len(rest):
        message = f"the body has {len(rest) - offset} bytes more than its inputs say in binary_data_size"
        raise InvalidRequest(message, param="inputs")
    for output in infer_request.outputs or ():
        entry = request.outputs.add(name=output.name)
        _add_parameters(entry.parameters, output.parameters, "binary_data")
    return request, BinaryWanted(infer_request)


def serialize_infer_request(
    json_length: str | None, model: str, version: str, max_nesting: int, body: bytes
) -> tuple[bytes, BinaryWanted]:
    """As :func:`parse_infer_request`, for a worker process: the message as bytes, since it cannot be pickled."""
    request, wanted = parse_infer_request(body, json_length, model, version, max_nesting)
    return request.SerializeToString(), wanted


def _parse_length(length: str | None, size: int) -> int:
    if length is None:
        return size
    number = parse_whole(length)
    if number is None or number > size:
        raise MalformedBody("Inference-Header-Content-Length is no number of bytes that the body has")
    return number


def _check_shape(tensor: InputTensor, path: str) -> list[int]:
    if any(not 0 <= length < 1 << 63 for length in tensor.shape):
        raise InvalidRequest(f"{path}.shape: lengths are whole numbers, none negative", param=f"{path}.shape")
    return tensor.shape


def _take_binary(tensor: InputTensor, size: Any, rest: memoryview, path: str) -> bytes:
    param = f"{path}.parameters.binary_data_size"
    if type(size) is not int or size < 0:
        raise InvalidRequest(f"{param}: a number of bytes", param=param)
    if tensor.data is not msgspec.UNSET:
        raise InvalidRequest(f"{path}: give data or binary_data_size, not both", param=path)
    if size > len(rest):
        message = f"{param}: {size} bytes, and the body has {len(rest)} left after its JSON and the inputs before"
        raise InvalidRequest(message, param=param)
    return bytes(rest[:size])


def _encode_data(tensor: InputTensor, path: str) -> bytes:
    """JSON data as the bytes of the tensor."""
    if "shared_memory_region" in tensor.parameters:
        raise InvalidRequest(f"{path}: shared memory is not supported; send the data in the request", param=path)
    if tensor.data is msgspec.UNSET:
        raise InvalidRequest(f"{path}: missing field data", param=f"{path}.data")
    datatype = find_datatype(tensor.datatype, path)
    values = _flatten_data(msgspec.json.decode(tensor.data), f"{path}.data")
    count = math.prod(_check_shape(tensor, path))
    if len(values) != count:
        message = f"{path}.data: {len(values)} elements; shape {tensor.shape} has {count}"
        raise InvalidRequest(message, param=f"{path}.data")
    if not _matches_datatype(datatype, set(map(type, values))):
        raise InvalidRequest(f"{path}.data: elements that are not {datatype.name}", param=f"{path}.data")
    if datatype.name == "BYTES":
        values = [value.encode("utf-8", "surrogatepass") for value in values]
    return pack_values(datatype, values, f"{path}.data")


def _flatten_data(data: Any, path: str) -> list[Any]:
    """The elements of a list of lists, as deep as it may be."""
    if not isinstance(data, list):
        raise InvalidRequest(f"{path}: expected array", param=path)
    elements: list[Any] = data
    while elements and isinstance(elements[0], list):
        if not all(isinstance(row, list) for row in elements):
            raise InvalidRequest(f"{path}: lists and elements side by side", param=path)
        elements = list(chain.from_iterable(elements))
    return elements


def _matches_datatype(datatype: Datatype, types: set[type]) -> bool:
    if datatype.name == "BYTES":
        return types <= {str}
    if datatype.name == "BOOL":
        return types <= {bool}
    return types <= ({int} if datatype.name.startswith(("INT", "UINT")) else {int, float})


def _add_parameters(target: Any, parameters: Mapping[str, bool | int | float | str], skipped: str) -> None:
    """Copy parameters into a message, but the one that says how the HTTP body is cut."""
    for name, value in parameters.items():
        if name == skipped:
            continue
        if isinstance(value, bool):
            target[name].bool_param = value
        elif isinstance(value, int):
            if not -(1 << 63) <= value < 1 << 63:
                raise InvalidRequest(f"parameters.{name}: a number of more than 64 bits", param="parameters")
            target[name].int64_param = value
        elif isinstance(value, float):
            target[name].double_param = value
        else:
            target[name].string_param = value
