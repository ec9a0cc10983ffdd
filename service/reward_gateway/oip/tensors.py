"""Tensors of a request, checked before anybody reads them: raw bytes that hold what shape and datatype say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as pb

from reward_gateway.backends.triton.tensors import frame_value, unframe_values
from reward_gateway.errors import InvalidRequest

from .datatypes import DATATYPES, Datatype


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor.

    Attributes:
        raw: its elements in row-major order, little-endian; of BYTES each with its length before it.
        where: its place in the request, for what has to be said of it.
    """

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    raw: bytes
    where: str

    def strings(self) -> list[bytes]:
        """The elements of a BYTES tensor. Raises InvalidRequest unless they are exactly as many as the shape says."""
        try:
            return unframe_values(self.raw, math.prod(self.shape))
        except ValueError:
            message = f"{self.where}: the bytes do not hold the strings that shape {list(self.shape)} stands for"
            raise self.refused(message) from None

    def numbers(self) -> NDArray[Any]:
        """The elements of a tensor of numbers, in its shape."""
        return np.frombuffer(self.raw, self.datatype.numpy).reshape(self.shape)

    def refused(self, message: str) -> InvalidRequest:
        """What is wrong with it."""
        return InvalidRequest(message, param=self.where)


def inputs_of(request: "pb.ModelInferRequest") -> dict[str, Tensor]:
    """The inputs by name. Raises InvalidRequest with the place of what is wrong."""
    given = request.raw_input_contents
    if given and len(given) != len(request.inputs):
        message = f"raw_input_contents: {len(given)} tensors for {len(request.inputs)} inputs"
        raise InvalidRequest(message, param="raw_input_contents")
    tensors: dict[str, Tensor] = {}
    for i, tensor in enumerate(request.inputs):
        where = f"inputs[{i}]"
        if "shared_memory_region" in tensor.parameters:
            raise InvalidRequest(f"{where}: shared memory is not served here; send the data", param=where)
        if tensor.name in tensors:
            raise InvalidRequest(f"{where}: there are two inputs of one name", param=f"{where}.name")
        if given and tensor.HasField("contents"):
            raise InvalidRequest(f"{where}: give raw_input_contents or contents, not both", param=where)
        datatype = datatype_of(tensor.datatype, where)
        raw = given[i] if given else pack(datatype, _typed(datatype, tensor.contents, where), where)
        tensors[tensor.name] = checked(Tensor(tensor.name, datatype, tuple(tensor.shape), raw, where))
    return tensors


def datatype_of(name: str, where: str) -> Datatype:
    """The datatype of this name. Raises InvalidRequest."""
    if name not in DATATYPES:
        raise InvalidRequest(f"{where}.datatype: one of {', '.join(DATATYPES)}", param=f"{where}.datatype")
    return DATATYPES[name]


def checked(tensor: Tensor) -> Tensor:
    """The same tensor, its size as its shape says. Raises InvalidRequest."""
    if any(length < 0 for length in tensor.shape):
        where = f"{tensor.where}.shape"
        raise InvalidRequest(f"{where}: a tensor that is sent has no negative lengths", param=where)
    size = tensor.datatype.size
    if size is not None and len(tensor.raw) != size * math.prod(tensor.shape):
        expected = size * math.prod(tensor.shape)
        message = f"{tensor.where}: {len(tensor.raw)} bytes; {tensor.datatype.name} {list(tensor.shape)} is {expected}"
        raise tensor.refused(message)
    return tensor


def pack(datatype: Datatype, values: Sequence[Any], where: str) -> bytes:
    """Values as raw bytes. Raises InvalidRequest where one is not of the datatype."""
    if datatype.name == "BYTES":
        return b"".join(map(frame_value, values))
    if datatype.numpy is None:
        raise InvalidRequest(f"{where}: {datatype.name} travels as raw bytes only", param=where)
    if datatype.numpy.kind in "iu" and values:
        bounds = np.iinfo(datatype.numpy)
        if min(values) < bounds.min or max(values) > bounds.max:
            raise InvalidRequest(f"{where}: a number that {datatype.name} cannot hold", param=where)
    return np.array(values, datatype.numpy).tobytes()


def _typed(datatype: Datatype, contents: "pb.InferTensorContents", where: str) -> Sequence[Any]:
    if datatype.contents is None:
        raise InvalidRequest(f"{where}: send {datatype.name} in raw_input_contents", param=where)
    strange = [field.name for field, _ in contents.ListFields() if field.name != datatype.contents]
    if strange:
        message = f"{where}.contents: {datatype.name} stands in {datatype.contents}, not in {strange[0]}"
        raise InvalidRequest(message, param=f"{where}.contents")
    values: Sequence[Any] = getattr(contents, datatype.contents)
    return values
