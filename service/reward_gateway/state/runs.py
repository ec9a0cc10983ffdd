"""Which runs of a tenant have state: what scoring wrote for them, and has not been reset.

No index of runs is kept, since every write would have to keep it; a listing looks through the keys of the store, a
bounded number for each page.
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from reward_gateway.errors import InvalidRequest

from .labels import QUEUES, LocalLabels
from .local_store import LocalVersionedStore
from .namespace import NO_NAMESPACE, Namespace
from .redis_store import RedisScripts

DEFAULT_LIMIT, LARGEST_LIMIT = 100, 1000
"""Runs on a page."""

KEYS_AT_ONCE, STEPS = 1000, 100
"""Keys of the store that one command looks through, and commands for a page."""

_QUEUE = ("labels", "queue")


@dataclass(frozen=True, slots=True)
class RunPage:
    """A part of a listing.

    Attributes:
        runs: kinds of state by run, in the order of their names. A run may stand on several pages, each time with other
            kinds.
        cursor: where the next page begins; None: there is none.
    """

    runs: dict[str, list[str]] = field(default_factory=dict)
    cursor: str | None = None


class RunList(Protocol):
    """The runs of a tenant."""

    def within(self, space: Namespace) -> Self:
        """Those of another namespace's tenant."""

    async def list_page(self, cursor: str | None, limit: int) -> RunPage:
        """The runs from a cursor on, about ``limit`` of them.

        Raises:
            InvalidRequest: no page ever ended with this cursor.
        """


class LocalRuns:
    """Implements :class:`RunList` in this process."""

    def __init__(self, *stores: LocalVersionedStore[Any]) -> None:
        self._stores = stores
        self._tenant = NO_NAMESPACE.tenant

    def within(self, space: Namespace) -> Self:
        view = copy(self)
        view._tenant = space.tenant
        return view

    async def list_page(self, cursor: str | None, limit: int) -> RunPage:
        found = [(run, store.kind) for store in self._stores for run in store.list_runs(self._tenant)]
        found += [
            (run, QUEUES)
            for store in self._stores
            if isinstance(store, LocalLabels)
            for run in store.list_queueing_runs(self._tenant)
        ]
        after = "" if cursor is None else _check_cursor(cursor, "run:")
        kinds = _group_kinds((run, kind) for run, kind in found if cursor is None or run > after)
        page = dict([*kinds.items()][:limit])
        return RunPage(page, f"run:{[*page][-1]}" if len(page) < len(kinds) else None)


class RedisRuns(RedisScripts):
    """Implements :class:`RunList` in Redis."""

    _space = NO_NAMESPACE

    def within(self, space: Namespace) -> Self:
        view = copy(self)
        view._space = space
        return view

    async def list_page(self, cursor: str | None, limit: int) -> RunPage:
        place = 0 if cursor is None else int(_check_cursor(cursor, "key:"))
        prefix = f"{self._space.tenant_keys}run/"
        found: set[tuple[str, str]] = set()
        for _ in range(STEPS):
            ((place, keys),) = await self.read_commands(("SCAN", place, "MATCH", f"{prefix}*", "COUNT", KEYS_AT_ONCE))
            for key in keys:
                run, _, part = key.decode("utf-8", "surrogateescape")[len(prefix) :].partition("/")
                words = part.split(":")
                if len(words) == 2 and words[1] == "index":
                    found.add((run, words[0]))
                elif tuple(words[:2]) == _QUEUE:
                    found.add((run, QUEUES))
            if not place or len({run for run, _ in found}) >= limit:
                break
        return RunPage(_group_kinds(found), f"key:{place}" if place else None)


def _check_cursor(cursor: str, begins: str) -> str:
    value = cursor.removeprefix(begins)
    is_number = value.isascii() and value.isdecimal() and len(value) <= 20 and int(value) < 1 << 64
    if value == cursor or (begins == "key:" and not is_number):
        raise InvalidRequest("there is no such page; begin again without cursor", param="cursor")
    return value


def _group_kinds(found: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for run, kind in sorted(set(found)):
        kinds.setdefault(run, []).append(kind)
    return kinds
