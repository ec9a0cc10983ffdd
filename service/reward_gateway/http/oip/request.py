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

    def __init__(self, asked: InferRequest) -> None:
        self._otherwise = bool(asked.parameters.get("binary_data_output", False))
        self._said = {
            output.name: bool(output.parameters["binary_data"])
            for output in asked.outputs or ()
            if "binary_data" in output.parameters
        }

    def __contains__(self, name: object) -> bool:
        return self._said.get(str(name), self._otherwise)


def read(
    body: bytes, json_length: str | None, model: str, version: str, max_nesting: int
) -> tuple["pb.ModelInferRequest", BinaryWanted]:
    """The request in a body.

    Args:
        json_length: the header ``Inference-Header-Content-Length``: bytes of JSON before the binary tensors.

    Raises:
        MalformedBody: no JSON, or a length that the body does not have.
        InvalidRequest: JSON of another shape, or a tensor whose data are not what it says.
    """
    length = _length(json_length, len(body))
    text, rest = body[:length], memoryview(body)[length:]
    asked = decode(_decoder, text, max_nesting)
    check_nesting(text, max_nesting)
    request = pb.ModelInferRequest(model_name=model, model_version=version, id=asked.id or "")
    _add_parameters(request.parameters, asked.parameters, "binary_data_output")
    at = 0
    for i, tensor in enumerate(asked.inputs):
        where = f"inputs[{i}]"
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            raw = _raw(tensor, where)
        else:
            raw = _binary(tensor, size, rest[at:], where)
            at += len(raw)
        entry = request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=_shape(tensor, where))
        _add_parameters(entry.parameters, tensor.parameters, "binary_data_size")
        request.raw_input_contents.append(raw)
    if at != len(rest):
        message = f"the body has {len(rest) - at} bytes more than its inputs say in binary_data_size"
        raise InvalidRequest(message, param="inputs")
    for output in asked.outputs or ():
        entry = request.outputs.add(name=output.name)
        _add_parameters(entry.parameters, output.parameters, "binary_data")
    return request, BinaryWanted(asked)


def _length(given: str | None, size: int) -> int:
    if given is None:
        return size
    if not given.isdecimal() or int(given) > size:
        raise MalformedBody("Inference-Header-Content-Length is no number of bytes that the body has")
    return int(given)


def _shape(tensor: InputTensor, where: str) -> list[int]:
    if any(not 0 <= length < 1 << 63 for length in tensor.shape):
        raise InvalidRequest(f"{where}.shape: lengths are whole numbers, none negative", param=f"{where}.shape")
    return tensor.shape


def _binary(tensor: InputTensor, size: Any, rest: memoryview, where: str) -> bytes:
    param = f"{where}.parameters.binary_data_size"
    if type(size) is not int or size < 0:
        raise InvalidRequest(f"{param}: a number of bytes", param=param)
    if tensor.data is not msgspec.UNSET:
        raise InvalidRequest(f"{where}: give data or binary_data_size, not both", param=where)
    if size > len(rest):
        message = f"{param}: {size} bytes, and the body has {len(rest)} left after its JSON and the inputs before"
        raise InvalidRequest(message, param=param)
    return bytes(rest[:size])


def _raw(tensor: InputTensor, where: str) -> bytes:
    """JSON data as the bytes of the tensor."""
    if "shared_memory_region" in tensor.parameters:
        raise InvalidRequest(f"{where}: shared memory is not supported; send the data in the request", param=where)
    if tensor.data is msgspec.UNSET:
        raise InvalidRequest(f"{where}: missing field data", param=f"{where}.data")
    datatype = find_datatype(tensor.datatype, where)
    values = _flat(msgspec.json.decode(tensor.data), f"{where}.data")
    count = math.prod(_shape(tensor, where))
    if len(values) != count:
        message = f"{where}.data: {len(values)} elements; shape {tensor.shape} has {count}"
        raise InvalidRequest(message, param=f"{where}.data")
    if not _fits(datatype, set(map(type, values))):
        raise InvalidRequest(f"{where}.data: elements that are not {datatype.name}", param=f"{where}.data")
    if datatype.name == "BYTES":
        values = [value.encode("utf-8", "surrogatepass") for value in values]
    return pack_values(datatype, values, f"{where}.data")


def _flat(data: Any, where: str) -> list[Any]:
    """The elements of a list of lists, as deep as it may be."""
    if not isinstance(data, list):
        raise InvalidRequest(f"{where}: expected array", param=where)
    elements: list[Any] = data
    while elements and isinstance(elements[0], list):
        if not all(isinstance(row, list) for row in elements):
            raise InvalidRequest(f"{where}: lists and elements side by side", param=where)
        elements = list(chain.from_iterable(elements))
    return elements


def _fits(datatype: Datatype, types: set[type]) -> bool:
    if datatype.name == "BYTES":
        return types <= {str}
    if datatype.name == "BOOL":
        return types <= {bool}
    return types <= ({int} if datatype.name.startswith(("INT", "UINT")) else {int, float})


def _add_parameters(held: Any, given: Mapping[str, bool | int | float | str], ours: str) -> None:
    """Copy parameters into a message, but the one that says how the HTTP body is cut."""
    for name, value in given.items():
        if name == ours:
            continue
        if isinstance(value, bool):
            held[name].bool_param = value
        elif isinstance(value, int):
            if not -(1 << 63) <= value < 1 << 63:
                raise InvalidRequest(f"parameters.{name}: a number of more than 64 bits", param="parameters")
            held[name].int64_param = value
        elif isinstance(value, float):
            held[name].double_param = value
        else:
            held[name].string_param = value
