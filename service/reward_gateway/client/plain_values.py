"""Values of numpy, torch and message classes as plain JSON: the one conversion of the client and of all adapters.

A scalar is its number, an array a list; a float of fewer than 64 bits is the decimal that it prints as (0.1 of 32 bits
is 0.1, and not 0.10000000149), since a right answer is compared as text.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

_PLAIN = frozenset((type(None), str, int, float, bool))


def to_plain(value: Any) -> Any:
    """A value with every scalar, array, tensor, tuple and message in it as JSON has them; other objects stay."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, str):
        return str(value)  # numpy's text is one of its scalars
    if isinstance(value, np.generic):
        return _scalar(value)
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, Mapping):
        return {str(key): to_plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value) if _PLAIN.issuperset(map(type, value)) else [to_plain(entry) for entry in value]
    if callable(dump := getattr(value, "model_dump", None)):
        return to_plain(dump())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    return to_plain(_tensor(value)) if callable(getattr(value, "tolist", None)) else value


def _scalar(value: np.generic) -> Any:
    if isinstance(value, (np.float16, np.float32)):
        return float(str(value))
    plain = value.item()
    return plain if type(plain) in _PLAIN else str(value)  # a date, or a number wider than Python's


def _array(array: np.ndarray[Any, Any]) -> Any:
    """Nested lists; what has no dimensions is its one value."""
    if array.dtype.kind in "bui" or array.dtype == np.float64:
        return array.tolist()
    return to_plain(array[()]) if array.ndim == 0 else [to_plain(entry) for entry in array]


def _tensor(value: Any) -> Any:
    """A tensor as an array of numpy, where it can be one, else as lists."""
    detached = value.detach().cpu() if hasattr(value, "detach") else value
    try:
        return np.asarray(detached)
    except (TypeError, ValueError):  # a type of torch that numpy does not have
        return detached.tolist()
