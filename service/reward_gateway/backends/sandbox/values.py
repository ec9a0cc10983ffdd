"""Plain values as JSON between the process of a program and that of its tests. Standard library only.

Not pickle, nor marshal: what a program sends is read by the process that knows the answers. Values of the types below,
and no subclass of them, are copied; everything else stays where it is, and is referred to (:mod:`.remote`).
"""

import collections
import datetime
import decimal
import fractions
import sys
from collections.abc import Callable
from typing import Any

_EXACT = (1 << 63) - 1
_LEAVES = frozenset((str, bool, float, type(None)))
_NUMBERS = frozenset((int, bool))
_FACTORIES: dict[str, Any] = {"int": int, "float": float, "str": str, "list": list, "set": set, "dict": dict}

Refer = Callable[[Any], list[Any]]
Resolve = Callable[[list[Any]], Any]

_HELD: dict[type, Callable[[Any], Any]] = {
    int: int.__index__,
    float: float.__float__,
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    tuple: lambda value: tuple(tuple.__iter__(value)),
    list: lambda value: list(list.__iter__(value)),
    set: lambda value: set(set.__iter__(value)),
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
    dict: lambda value: dict(dict.items(value)),
}
"""Types whose subclasses are compared by the value that they hold, never by methods of theirs; how to read it."""


def encode(value: Any, refer: Refer) -> Any:
    """A value as JSON: itself, or a list that begins with its kind; ``refer`` gives one for what is not copied."""
    kind = type(value)
    if kind in _LEAVES:
        return value
    if kind is int:
        return value if -_EXACT <= value <= _EXACT else ["int", hex(value)]
    if kind is list or kind is tuple:
        name = "list" if kind is list else "tuple"
        return ["flat", name, list(value)] if _is_flat(value) else [name, [encode(each, refer) for each in value]]
    if kind is dict or kind is collections.OrderedDict or kind is collections.Counter:
        return [_MAPPING_NAMES[kind], _encode_pairs(value, refer)]
    if kind is collections.defaultdict:
        factory = value.default_factory
        name = next((name for name, known in _FACTORIES.items() if known is factory), "")
        return ["defaultdict", name, _encode_pairs(value, refer)]
    if kind is set or kind is frozenset:
        return [kind.__name__, [encode(each, refer) for each in value]]
    if kind is collections.deque:
        return ["deque", [encode(each, refer) for each in value], value.maxlen]
    if kind in _SIMPLE:
        return [kind.__name__, *_SIMPLE[kind](value)]
    return _encode_numpy(value) or refer(value)


def _encode_pairs(value: dict[Any, Any], refer: Refer) -> list[Any]:
    return [[encode(key, refer), encode(held, refer)] for key, held in value.items()]


def _is_flat(values: Any) -> bool:
    """Whether JSON alone carries the entries: leaves, and numbers that are not long."""
    kinds = set(map(type, values))
    if kinds <= _LEAVES:
        return True
    return kinds <= _NUMBERS and min(values) >= -_EXACT and max(values) <= _EXACT


_MAPPING_NAMES: dict[type, str] = {
    dict: "dict",
    collections.OrderedDict: "OrderedDict",
    collections.Counter: "Counter",
}
_SIMPLE: dict[type, Callable[[Any], list[Any]]] = {
    complex: lambda value: [value.real, value.imag],
    bytes: lambda value: [value.hex()],
    bytearray: lambda value: [value.hex()],
    range: lambda value: [hex(value.start), hex(value.stop), hex(value.step)],
    type(...): lambda _: [],
    fractions.Fraction: lambda value: [hex(value.numerator), hex(value.denominator)],
    decimal.Decimal: lambda value: [str(value)],
    datetime.date: lambda value: [value.isoformat()],
    datetime.datetime: lambda value: [value.isoformat()],
    datetime.timedelta: lambda value: [value.days, value.seconds, value.microseconds],
}
_READ: dict[str, Callable[..., Any]] = {
    "int": lambda text: int(text, 16),
    "complex": complex,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "range": lambda *ends: range(*(int(end, 16) for end in ends)),
    "ellipsis": lambda: ...,
    "Fraction": lambda over, under: fractions.Fraction(int(over, 16), int(under, 16)),
    "Decimal": decimal.Decimal,
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "timedelta": datetime.timedelta,
}


def _encode_numpy(value: Any) -> list[Any] | None:
    """An array or a number of numpy, where it is loaded; None for anything else."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    is_array = type(value) is numpy.ndarray
    if not (is_array or isinstance(value, numpy.generic)) or value.dtype.kind not in "biufU":
        return None
    return ["array" if is_array else "scalar", value.dtype.str, value.tolist()]


def decode(data: Any, resolve: Resolve) -> Any:
    """The value that :func:`encode` wrote. Raises ValueError, TypeError, KeyError or IndexError for other data."""
    if type(data) is not list:
        if isinstance(data, dict):
            raise ValueError("no value")
        return data
    kind = data[0]
    if kind == "flat":
        if not set(map(type, data[2])) <= _LEAVES | _NUMBERS:
            raise ValueError("no flat value")
        return tuple(data[2]) if data[1] == "tuple" else list(data[2])
    if kind in ("list", "tuple", "set", "frozenset"):
        values = (decode(each, resolve) for each in data[1])
        return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind](values)
    if kind in _MAPPINGS:
        pairs = {decode(key, resolve): decode(value, resolve) for key, value in data[1]}
        return _MAPPINGS[kind](pairs)
    if kind == "defaultdict":
        pairs = {decode(key, resolve): decode(value, resolve) for key, value in data[2]}
        return collections.defaultdict(_FACTORIES.get(data[1]), pairs)
    if kind == "deque":
        return collections.deque((decode(each, resolve) for each in data[1]), data[2])
    if kind in ("array", "scalar"):
        array = sys.modules["numpy"].array(data[2], dtype=data[1])
        return array if kind == "array" else array[()]
    return _READ[kind](*data[1:]) if kind in _READ else resolve(data)


_MAPPINGS: dict[str, Callable[[Any], Any]] = {
    "dict": dict,
    "OrderedDict": collections.OrderedDict,
    "Counter": collections.Counter,
}


def base_value(value: Any) -> Any:
    """What an instance of a subclass of a plain type holds, as that type; None if it is of no such type."""
    for base, read in _HELD.items():
        if isinstance(value, base) and type(value) is not base:
            return read(value)
    return None


def update_in_place(held: Any, new: Any) -> None:
    """Give a container the content of another of its type."""
    if isinstance(held, (list, bytearray)):
        held[:] = new
    elif isinstance(held, collections.deque):
        held.clear()
        held.extend(new)
    elif isinstance(held, (dict, set)):
        held.clear()
        held.update(new)
    else:  # an array
        held[...] = new


def is_mutable(value: Any) -> bool:
    """Whether a copied value may be changed by who is given it."""
    kind = type(value)
    return kind in (list, dict, set, bytearray, collections.deque) or kind in (
        collections.defaultdict,
        collections.Counter,
        collections.OrderedDict,
        getattr(sys.modules.get("numpy"), "ndarray", list),
    )
