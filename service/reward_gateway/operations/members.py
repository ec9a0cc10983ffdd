"""Members of a group, a pair list or a trajectory, read alike whether they are models or plain mappings.

Over HTTP the members of an item are validated models; a recipe hands over plain mappings of its own columns.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reward_gateway.sample import FloatArray

from .outcome import ItemError


def entry(member: Any, name: str, default: Any = None) -> Any:
    """The value of a member's field; ``default`` where it is missing or None."""
    value = member.get(name) if isinstance(member, Mapping) else getattr(member, name, None)
    return default if value is None else value


def column(members: Sequence[Any], name: str, default: float = np.nan) -> FloatArray:
    """[n] float64 of one field over the members."""
    return np.array([entry(member, name, default) for member in members], dtype=np.float64)


def matrix(rows: Any, what: str) -> FloatArray:
    """[n, d] float64 from rows of numbers.

    Raises:
        ItemError: the rows are of unequal length, or there are none.
    """
    lists = [np.asarray(row, dtype=np.float64).ravel() for row in rows]
    if not lists or len(lists[0]) == 0:
        raise ItemError(f"{what} must hold at least one row with at least one number")
    if len({len(row) for row in lists}) > 1:
        raise ItemError(f"the rows of {what} must be of one length, and are of {sorted({len(r) for r in lists})}")
    return np.stack(lists)
