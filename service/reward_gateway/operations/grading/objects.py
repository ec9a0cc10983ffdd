"""The JSON object that ends a reply."""

import json
import re
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

from ..outcome import ItemError
from .visible import drop_code, read_final

REASON = "reason"
"""Key in which a judge may say why, before what was asked for."""

MOST_BRACES = 256
"""Most opening braces at which an object is looked for."""

_OPENING = re.compile(r"\{\s*\"")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


class _Refused(ValueError):
    """JSON that is well formed, and is not read all the same."""


def ends_with_object(text: str) -> bool:
    """Whether a text ends as a JSON object does."""
    return text.rstrip().endswith("}")


def read_object(reply: str) -> dict[str, Any]:
    """The JSON object that ends a reply, fenced or not.

    A key that stands in it twice, a number with an exponent, NaN and Infinity, an opening quotation mark or brace that
    is not closed before it, and an object before it that says otherwise of one of its keys make the reply unread.

    Raises:
        ItemError: there is none, or the reply is unread for one of these reasons.
    """
    return parse_object(read_final(reply))


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object that ends a text of :func:`.visible.read_final`. Raises as :func:`read_object`."""
    found = _find_object(text.rstrip())
    if found is None:
        raise ItemError("the judge's answer does not end with a JSON object")
    value, start = found
    before = text[:start].rstrip()
    if before.count('"') % 2 or before.count("`") % 2 or before.count("{") > before.count("}"):
        raise ItemError("the judge's JSON object stands in a quotation or in an object that is not closed")
    _refuse_others(drop_code(before), value)
    return value


def read_keys(reply: str, keys: Collection[str]) -> dict[str, Any]:
    """The JSON object that ends a reply, with exactly the keys that were asked for; a ``reason`` may stand with them.

    Raises:
        ItemError: there is none, or its keys are others.
    """
    found = read_object(reply)
    if found.keys() - {REASON} != set(keys) - {REASON} or not set(keys) <= found.keys():
        raise ItemError("the judge's JSON object does not have exactly the keys that were asked for")
    return {key: found[key] for key in keys}


def make_schema(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """JSON Schema of an object with a ``reason`` and then these fields, all of them required.

    Args:
        fields: key -> schema of its value.
    """
    properties = {REASON: {"type": "string"}, **fields}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _find_object(text: str) -> tuple[dict[str, Any], int] | None:
    """The object that ends a text, and where it begins."""
    if not text.endswith("}"):
        return None
    start = len(text)
    for _ in range(MOST_BRACES):
        start = text.rfind("{", 0, start)
        if start < 0:
            return None
        try:
            value, end = _DECODER.raw_decode(text, start)
        except _Refused as refused:
            raise ItemError(str(refused)) from None
        except (ValueError, RecursionError):
            continue
        if end == len(text) and isinstance(value, dict):
            return value, start
    return None


def _refuse_others(before: str, value: dict[str, Any]) -> None:
    """Raise ItemError if an object in the text before says otherwise of a key, unless it stands in quotation marks."""
    place = 0
    for opening in islice(_OPENING.finditer(before), MOST_BRACES):
        if opening.start() < place:
            continue
        try:
            other, place = _DECODER.raw_decode(before, opening.start())
        except (ValueError, RecursionError):
            continue
        if before[opening.start() - 1 : opening.start()] == '"' == before[place : place + 1]:
            continue
        if any(value[key] != said for key, said in other.items() if key in value and key != REASON):
            raise ItemError("the judge gave two JSON objects that differ")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused("the judge's JSON object has a key twice")
    return found


def _plain_number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise _Refused("the judge's JSON object has a number with an exponent")
    return float(text)


def _no_number(text: str) -> float:
    raise _Refused(f"the judge's JSON object has {text}, which is no number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_plain_number, parse_constant=_no_number)
