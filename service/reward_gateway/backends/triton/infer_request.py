"""The message of an infer call, written around its texts.

Protocol Buffers' own encoder copies the texts of a large batch several times; here they are copied once. A message's
fields may stand in any order on the wire, and those of one kind keep theirs: the small ones come from that encoder, and
the tensors follow, each behind its key and its length.
"""

from functools import lru_cache

from tritonclient.grpc import service_pb2

from reward_gateway.backends.triton.model_config import TritonModel
from reward_gateway.backends.triton.tensors import LENGTH_BYTES, frame_values
from reward_gateway.protobuf_wire import BYTES, tag, varint


def encode_infer_request(model: TritonModel, tensors: dict[str, list[bytes]], rows: int) -> bytes:
    """A ``ModelInferRequest`` on the wire.

    Args:
        tensors: the inputs by name, each the values of as many rows.
    """
    version = model.triton_version if model.pinned else ""
    parts = [_encode_head(model.name, version, tuple(tensors), model.outputs, rows)]
    for values in tensors.values():
        parts.append(_TENSOR_KEY + varint(sum(map(len, values)) + LENGTH_BYTES * len(values)))
        parts += frame_values(values)
    return b"".join(parts)


@lru_cache(maxsize=4096)
def _encode_head(model: str, version: str, inputs: tuple[str, ...], outputs: tuple[str, ...], rows: int) -> bytes:
    """Everything but the tensors: it is the same for all calls of a model with as many rows."""
    request = service_pb2.ModelInferRequest(model_name=model, model_version=version)
    for name in inputs:
        request.inputs.add(name=name, datatype="BYTES", shape=(rows, 1))
    for name in outputs:
        request.outputs.add(name=name)
    head: bytes = request.SerializeToString()
    return head


_TENSOR_KEY = tag(service_pb2.ModelInferRequest, "raw_input_contents", BYTES)
