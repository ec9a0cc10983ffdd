"""Large messages of ``ModelInfer``: which take long to parse, and what a worker process makes of them."""

from tritonclient.grpc import service_pb2 as pb

from reward_gateway.intake.decoding_cost import is_long_message
from reward_gateway.oip.tensors import read_inputs
from reward_gateway.protobuf_wire import BYTES, read_varint

from .calls import parse

_RAW_CONTENTS = pb.ModelInferRequest.RAW_INPUT_CONTENTS_FIELD_NUMBER
_LENGTHS = {1: 8, 5: 4}
"""Bytes of the values that have no length of their own, by wire type."""

_MOST_FIELDS = 1000


def takes_long_to_parse(message: bytes) -> bool:
    """Whether the event loop should not wait for a message to be parsed; raw tensors in it are only copied."""
    return is_long_message(message) and is_long_message(_cut_raw_contents(message))


def pack_message(message: bytes) -> bytes:
    """The same message with all its tensors raw, which takes little time to parse.

    Raises:
        MalformedBody: it is none.
        InvalidRequest: names the input at fault.
    """
    request = parse(pb.ModelInferRequest, message)
    tensors = read_inputs(request)
    del request.raw_input_contents[:]
    for entry in request.inputs:
        entry.ClearField("contents")
        request.raw_input_contents.append(tensors[entry.name].raw)
    packed: bytes = request.SerializeToString()
    return packed


def _cut_raw_contents(message: bytes) -> bytes:
    """A message without its raw tensors; all of it if it has very many fields, or is none."""
    kept: list[bytes] = []
    at = 0
    for _ in range(_MOST_FIELDS):
        if at >= len(message):
            return b"".join(kept)
        began = at
        try:
            tag, at = read_varint(message, at)
            if (wire_type := tag & 7) in _LENGTHS:
                at += _LENGTHS[wire_type]
            else:
                value, at = read_varint(message, at)
                at += value if wire_type == BYTES else 0
        except IndexError:
            return message
        if tag >> 3 != _RAW_CONTENTS:
            kept.append(message[began:at])
    return message
