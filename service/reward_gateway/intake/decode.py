"""JSON bytes to a typed body, and what is wrong with the bytes where they are none.

Two answers, kept apart: what is no JSON at all (400), and JSON of the wrong shape (422, with the path).
A value of the body never stands in a message.
"""

import re
from functools import cache
from typing import Any, NoReturn, TypeVar

import msgspec
import orjson

from reward_gateway.errors import GatewayError, InvalidRequest, MalformedBody

from .limits import InputLimits
from .nesting import check_nesting, nesting, too_deep

T = TypeVar("T")

_PLACE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$|(?: - at `key`.*)$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$", re.DOTALL)
_SAFE_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$")


def decode(decoder: "msgspec.json.Decoder[T]", body: bytes, max_nesting: int) -> T:
    """Decode a body.

    Raises:
        MalformedBody: no JSON at all: empty, truncated, invalid UTF-8, a literal like NaN.
        InvalidRequest: JSON of another shape, with the path of the first fault, or nested too deep.
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        refuse(body, error, max_nesting)


def decode_as(
    kind: type[T], max_nesting: int, body: bytes, check: bool = False, limits: InputLimits | None = None
) -> T:
    """Decode a body to a type, in whichever process.

    Args:
        check: check the nesting of what the type leaves open, too.
        limits: hold for the lists of a record, or for the list that the body is, as they do for samples, but for
            lists of numbers.

    Raises:
        MalformedBody, InvalidRequest: as :func:`decode`.
        TooLarge: a list is longer than ``limits`` allow.
    """
    decoder: msgspec.json.Decoder[T] = _decoder_of(kind)  # type: ignore[arg-type]  # types can be hashed
    decoded = decode(decoder, body, max_nesting)
    if check:
        check_nesting(body, max_nesting)
    if limits is not None:
        for value in _lists_of(decoded):
            if value and not isinstance(value[0], int | float):
                limits.samples(len(value))
    return decoded


def _lists_of(decoded: Any) -> list[list[Any]]:
    """The list that a body is, or those in its fields."""
    if isinstance(decoded, msgspec.Struct):
        values = [getattr(decoded, name) for name in decoded.__struct_fields__]
    else:
        values = [decoded]
    return [value for value in values if isinstance(value, list)]


def list_keys(body: bytes) -> list[str]:
    """The keys of a JSON object; none if the body is something else."""
    try:
        return list(_decoder_of(dict[str, msgspec.Raw]).decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


@cache
def _decoder_of(kind: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(kind)


def refuse(body: bytes, error: Exception, max_nesting: int) -> NoReturn:
    """Raise what a failed decoding means."""
    raise explain(body, error, max_nesting) from None


def explain(body: bytes, error: Exception, max_nesting: int) -> GatewayError:
    """What a failed decoding means: not JSON, too deep, or another shape."""
    if isinstance(error, RecursionError):
        return too_deep(max_nesting)
    if not isinstance(error, msgspec.ValidationError) or not _is_json(body):
        return MalformedBody("the body is not valid JSON (RFC 8259, UTF-8)" if body else "the body is empty")
    if nesting(body) > max_nesting:
        return too_deep(max_nesting)
    return wrong_shape(body, str(error))


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
        body.decode()
    except RecursionError:
        return True
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def wrong_shape(body: bytes, message: str, above: str = "") -> InvalidRequest:
    """What msgspec found wrong, with the path of it.

    Args:
        body: the JSON that was decoded.
        above: path of that JSON in the request, where it is a part of one.
    """
    place = _PLACE.search(message)
    path = (place["path"] or "") if place else ""
    said = message[: place.start()] if place else message
    param = (above + _resolve(body, path)).removeprefix(".")
    if unknown := _UNKNOWN.match(said):
        name = unknown["name"] if _SAFE_NAME.match(unknown["name"]) else None
        said = f"unknown field {name}" if name else "unknown field"
        param = _join(param, name)
    elif missing := _MISSING.match(said):
        said = f"missing field {missing['name']}"
        param = _join(param, missing["name"])
    elif said.startswith("Invalid "):  # msgspec quotes the value here
        said = "not one of the values that are known here"
    else:
        said = said.replace("`", "").replace("Expected", "expected", 1)
    return InvalidRequest(f"{param}: {said}" if param else f"the body: {said}", param=param or None)


def _join(path: str, name: str | None) -> str:
    return path if name is None else f"{path}.{name}" if path else name


def _resolve(body: bytes, path: str) -> str:
    """msgspec's path as ours: ``$.samples[3].features[...]`` gets the name of the first key that is at fault."""
    head, anonymous, tail = path.partition("[...]")
    if not anonymous:
        return path
    value: Any = None
    try:
        value = orjson.loads(body)
        for name, index in re.findall(r"([A-Za-z_]\w*)|\[(\d+)\]", head):
            value = value[name] if name else value[int(index)]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        return head
    names = [key for key, held in value.items() if not _numeric(held)] if isinstance(value, dict) else []
    if not names or not _SAFE_NAME.match(names[0]):
        return head
    return f"{head}.{names[0]}{tail}"


def _numeric(value: Any) -> bool:
    if isinstance(value, list):
        return all(type(item) in (int, float) for item in value)
    return type(value) in (int, float)
