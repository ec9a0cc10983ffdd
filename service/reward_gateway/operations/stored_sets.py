"""Named stored sets that items refer to: each read once, one that is not there left to its items to say so."""

from collections.abc import Iterable
from typing import Any

from reward_gateway.errors import NotFound

from .effects import Effectful, ReadSet, perform


def read_sets(kind: str, names: Iterable[str | None]) -> Effectful[dict[str, Any]]:
    """The sets of a kind by name; None is nobody's name, and a set that was never put is left out."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for name in names if name is not None):
        try:
            found[name] = yield from perform(ReadSet(kind, name))
        except NotFound:
            continue
    return found
