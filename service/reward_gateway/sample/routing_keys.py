"""What a row of a data set says about itself, as metadata of its sample: a recipe may choose a scorer by it."""

import math
from collections.abc import Collection, Mapping
from typing import Any

LONGEST_KEY = 256
"""Characters of a name, and of a text that is the value of one."""

LARGEST = 2**63
"""Whole numbers are smaller."""


def pick_routing_keys(*rows: Any, without: Collection[str] = ()) -> dict[str, str | bool | int | float]:
    """The names in rows whose values can be compared: short texts, numbers and booleans.

    The first row that has a name counts. Longer texts, lists and objects are what the sample is about, and have fields
    of their own.

    Args:
        rows: what is no mapping is passed over.
        without: names that are left out.
    """
    found: dict[str, str | bool | int | float] = {}
    for row in rows:
        if isinstance(row, Mapping):
            for name, value in row.items():
                if name not in without and name not in found and _is_key(name) and _is_comparable(value):
                    found[name] = value
    return found


def _is_key(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name) <= LONGEST_KEY


def _is_comparable(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_KEY
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, bool) or (isinstance(value, int) and -LARGEST < value < LARGEST)
