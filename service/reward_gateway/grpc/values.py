"""JSON values inside messages (``google.protobuf.Struct``) as plain Python, and back.

A Struct knows one kind of number. What came as an integer has to leave as one, because operations tell
``3`` from ``3.0`` where a count is asked for; a whole number serves both.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.struct_pb2 import ListValue, Struct, Value

from reward_gateway.errors import InvalidRequest

_EXACT = 2.0**53
"""Whole doubles below this are integers without doubt."""


def number(value: float, param: str) -> float:
    """A double as JSON has them. Raises InvalidRequest for NaN and the infinities."""
    if not math.isfinite(value):
        raise InvalidRequest(f"{param}: expected a finite number", param=param)
    return value


def plain(value: Value, param: str) -> Any:
    """None, bool, int, float, str, list or dict.

    Raises:
        InvalidRequest: a number that is not finite, or a value of no kind; ``param`` is the path so far.
    """
    match value.WhichOneof("kind"):
        case "number_value":
            double = number(value.number_value, param)
            whole = double.is_integer() and abs(double) < _EXACT and (double or math.copysign(1.0, double) > 0)
            return int(double) if whole else double
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "null_value":
            return None
        case "struct_value":
            return plain_object(value.struct_value, param)
        case "list_value":
            return plain_list(value.list_value, param)
        case _:
            raise InvalidRequest(f"{param}: a value of no kind", param=param)


def plain_object(value: Struct, param: str) -> dict[str, Any]:
    """A Struct as a dict."""
    return {key: plain(entry, f"{param}.{key}") for key, entry in value.fields.items()}


def plain_list(value: ListValue, param: str) -> list[Any]:
    """A ListValue as a list."""
    return [plain(entry, f"{param}[{i}]") for i, entry in enumerate(value.values)]


def struct(value: Mapping[str, Any]) -> Struct:
    """A JSON object as a Struct."""
    message = Struct()
    message.update(value)
    return message


def list_value(value: Sequence[Any]) -> ListValue:
    """A JSON list as a ListValue."""
    message = ListValue()
    message.extend(value)
    return message
