"""The protocol's messages on HTTP: JSON with the protocol's names, and behind it the tensors wanted as binary."""

import math
from collections.abc import Container
from typing import Any

import numpy as np
import orjson
from google.protobuf.message import Message
from starlette.responses import Response
from tritonclient.grpc import service_pb2 as pb

from reward_gateway.backends.triton.tensors import unframe_values
from reward_gateway.errors import InvalidRequest
from reward_gateway.oip.datatypes import DATATYPES

LENGTH = "Inference-Header-Content-Length"


def infer_response(answer: "pb.ModelInferResponse", binary: Container[str]) -> Response:
    """An answer; the outputs in ``binary`` follow the JSON in their order. Raises InvalidRequest for BF16 as JSON."""
    body: dict[str, Any] = {"model_name": answer.model_name, "model_version": answer.model_version}
    if answer.id:
        body["id"] = answer.id
    if answer.parameters:
        body["parameters"] = _read_parameters(answer)
    body["outputs"], tensors = [], []
    for output, raw in zip(answer.outputs, answer.raw_output_contents, strict=True):
        entry = {"name": output.name, "datatype": output.datatype, "shape": list(output.shape)}
        parameters = _read_parameters(output)
        if output.name in binary:
            parameters["binary_data_size"] = len(raw)
            tensors.append(raw)
        else:
            entry["data"] = _decode_values(output.name, output.datatype, list(output.shape), raw)
        body["outputs"].append({**entry, "parameters": parameters} if parameters else entry)
    text = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    if not tensors:
        return Response(text, media_type="application/json")
    headers = {LENGTH: str(len(text))}
    return Response(b"".join((text, *tensors)), headers=headers, media_type="application/octet-stream")


def _decode_values(name: str, datatype: str, shape: list[int], raw: bytes) -> Any:
    """A tensor's elements for JSON, flat."""
    dtype = DATATYPES[datatype].numpy
    if dtype is not None:
        return np.frombuffer(raw, dtype)
    if datatype == "BYTES":
        try:
            return [row.decode() for row in unframe_values(raw, math.prod(shape))]
        except UnicodeDecodeError:
            pass
    raise InvalidRequest(f"the output {name} cannot stand in JSON; ask for it with binary_data: true", param="outputs")


def _read_parameters(holder: Any) -> dict[str, Any]:
    return {name: getattr(value, value.WhichOneof("parameter_choice")) for name, value in holder.parameters.items()}


def message_to_dict(message: Message) -> dict[str, Any]:
    """A message as JSON with the protocol's names: the fields that are set, and all scalars and lists."""
    return {
        field.name: _field_to_json(message, field) for field in message.DESCRIPTOR.fields if _is_present(message, field)
    }


def _is_present(message: Message, field: Any) -> bool:
    return bool(field.is_repeated or not field.has_presence or message.HasField(field.name))


def _field_to_json(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if not field.is_repeated:
        return _value_to_json(value, field)
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        value_field = kind.fields_by_name["value"]
        return {str(name): _value_to_json(value[name], value_field) for name in value}
    return [_value_to_json(item, field) for item in value]


def _value_to_json(value: Any, field: Any) -> Any:
    if field.message_type is not None:
        return message_to_dict(value)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
