"""Input tensors of a request, with their bytes checked against shape and datatype before they are read."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as pb

from reward_gateway.backends.triton.tensors import frame_value, unframe_values
from reward_gateway.errors import InvalidRequest

from .datatypes import DATATYPES, Datatype

_LENGTH_BYTES = 4  # before each string


class Tensor(NamedTuple):
    """One tensor.

    Attributes:
        raw: its elements in row-major order, little-endian; BYTES elements are prefixed with their length.
        where: its place in the request, for error messages.
    """

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    raw: bytes
    where: str

    def read_strings(self) -> list[bytes]:
        """The elements of a BYTES tensor. Raises InvalidRequest unless their number matches the shape."""
        try:
            return unframe_values(self.raw, math.prod(self.shape))
        except ValueError:
            message = f"{self.where}: the bytes do not hold the number of strings of shape {list(self.shape)}"
            raise self.make_error(message) from None

    def read_numbers(self) -> NDArray[Any]:
        """The elements of a numeric tensor, in its shape."""
        return np.frombuffer(self.raw, self.datatype.numpy).reshape(self.shape)

    def make_error(self, message: str) -> InvalidRequest:
        """An error that names this tensor's place in the request."""
        return InvalidRequest(message, param=self.where)


def read_inputs(request: "pb.ModelInferRequest") -> dict[str, Tensor]:
    """The inputs by name. Raises InvalidRequest, which names the input at fault."""
    given = request.raw_input_contents
    if given and len(given) != len(request.inputs):
        message = f"raw_input_contents: {len(given)} tensors for {len(request.inputs)} inputs"
        raise InvalidRequest(message, param="raw_input_contents")
    tensors: dict[str, Tensor] = {}
    for i, tensor in enumerate(request.inputs):
        where = f"inputs[{i}]"
        name, parameters = tensor.name, tensor.parameters
        if parameters and "shared_memory_region" in parameters:
            raise InvalidRequest(f"{where}: shared memory is not supported; send the data in the request", param=where)
        if name in tensors:
            raise InvalidRequest(f"{where}: two inputs have the same name", param=f"{where}.name")
        if given and tensor.HasField("contents"):
            raise InvalidRequest(f"{where}: give raw_input_contents or contents, not both", param=where)
        datatype = find_datatype(tensor.datatype, where)
        raw = given[i] if given else pack_values(datatype, _typed_values(datatype, tensor.contents, where), where)
        tensors[name] = check_size(Tensor(name, datatype, tuple(tensor.shape), raw, where))
    return tensors


def check_request(request: "pb.ModelInferRequest") -> None:
    """Check a request before Triton sees it, whose own checks were found wanting: sizes, and no use of shared memory.

    Raises:
        InvalidRequest: names the tensor at fault.
    """
    for tensor in read_inputs(request).values():
        if tensor.datatype.size is None and len(tensor.raw) < _LENGTH_BYTES * math.prod(tensor.shape):
            raise tensor.make_error(f"{tensor.where}: too few bytes for the strings of shape {list(tensor.shape)}")
    for i, output in enumerate(request.outputs):
        if "shared_memory_region" in output.parameters:
            where = f"outputs[{i}]"
            raise InvalidRequest(f"{where}: shared memory is not supported; the answer holds the data", param=where)


def find_datatype(name: str, where: str) -> Datatype:
    """The datatype with this name. Raises InvalidRequest if there is none."""
    if name not in DATATYPES:
        raise InvalidRequest(f"{where}.datatype: must be one of {', '.join(DATATYPES)}", param=f"{where}.datatype")
    return DATATYPES[name]


def check_size(tensor: Tensor) -> Tensor:
    """The same tensor, once its size matches its shape. Raises InvalidRequest."""
    if tensor.shape and min(tensor.shape) < 0:
        where = f"{tensor.where}.shape"
        raise InvalidRequest(f"{where}: dimensions of an input must not be negative", param=where)
    size = tensor.datatype.size
    if size is not None and len(tensor.raw) != size * math.prod(tensor.shape):
        expected = size * math.prod(tensor.shape)
        message = (
            f"{tensor.where}: {len(tensor.raw)} bytes; {tensor.datatype.name} {list(tensor.shape)} needs {expected}"
        )
        raise tensor.make_error(message)
    return tensor


def pack_values(datatype: Datatype, values: Sequence[Any], where: str) -> bytes:
    """Values as raw bytes. Raises InvalidRequest if one does not fit the datatype."""
    if datatype.name == "BYTES":
        return b"".join(map(frame_value, values))
    if datatype.numpy is None:
        raise InvalidRequest(f"{where}: {datatype.name} must be sent as raw bytes", param=where)
    if datatype.numpy.kind in "iu" and values:
        bounds = np.iinfo(datatype.numpy)
        if min(values) < bounds.min or max(values) > bounds.max:
            raise InvalidRequest(f"{where}: a number is out of the range of {datatype.name}", param=where)
    return np.array(values, datatype.numpy).tobytes()


def _typed_values(datatype: Datatype, contents: "pb.InferTensorContents", where: str) -> Sequence[Any]:
    if datatype.contents is None:
        raise InvalidRequest(f"{where}: send {datatype.name} in raw_input_contents", param=where)
    other_fields = [field.name for field, _ in contents.ListFields() if field.name != datatype.contents]
    if other_fields:
        message = f"{where}.contents: values of {datatype.name} belong in {datatype.contents}, not in {other_fields[0]}"
        raise InvalidRequest(message, param=f"{where}.contents")
    values: Sequence[Any] = getattr(contents, datatype.contents)
    return values
