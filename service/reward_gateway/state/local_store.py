"""Named state in this process, with the behaviour of the Redis stores; lost when the process ends."""

import itertools
from collections.abc import Callable, Iterator, MutableMapping
from copy import copy
from typing import Any, Generic, Self, TypeVar

from .namespace import NO_NAMESPACE, Namespace, is_shared
from .port import StoredName

Value = TypeVar("Value")
Owned = tuple[str, str | None, str]
"""Tenant, run (None: all of them) and name."""


class OwnedNames(MutableMapping[str, Value]):
    """The names of all namespaces in one dictionary, as one namespace sees them."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._space = NO_NAMESPACE
        self._entries: dict[Owned, Value] = {}

    def within(self, space: Namespace) -> Self:
        """The same names as another namespace sees them."""
        view = copy(self)
        view._space = space
        return view

    def list_runs(self, tenant: str, has_value: Callable[[Value], bool] = lambda value: True) -> set[str]:
        """The runs of a tenant that have a name of their own with such a value."""
        return {
            run
            for (owner, run, _), value in self._entries.items()
            if owner == tenant and run is not None and has_value(value)
        }

    def _own(self, name: str) -> Owned:
        return self._space.tenant, None if is_shared(self._kind, name) else self._space.run, name

    def __getitem__(self, name: str) -> Value:
        return self._entries[self._own(name)]

    def __setitem__(self, name: str, value: Value) -> None:
        self._entries[self._own(name)] = value

    def __delitem__(self, name: str) -> None:
        del self._entries[self._own(name)]

    def __iter__(self) -> Iterator[str]:
        return (owned[2] for owned in list(self._entries) if owned == self._own(owned[2]))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class LocalVersionedStore(Generic[Value]):
    """Values by name, with versions. No call awaits anything, so each is atomic on the event loop."""

    kind = ""

    def __init__(self) -> None:
        self._space = NO_NAMESPACE
        self._values: OwnedNames[Value] = OwnedNames(self.kind)
        self._versions: OwnedNames[int] = OwnedNames(self.kind)
        self._clock = itertools.count(1)

    def within(self, space: Namespace) -> Self:
        """The store as a namespace sees it."""
        view = copy(self)
        view._space, view._values, view._versions = space, self._values.within(space), self._versions.within(space)
        return view

    def list_runs(self, tenant: str) -> set[str]:
        """The runs of a tenant that have a value of this kind."""
        return self._versions.list_runs(tenant)

    def _advance_version(self, name: str) -> None:
        self._versions[name] = next(self._clock)

    async def list_versions(self) -> dict[str, StoredName]:
        return {
            name: StoredName(version, "tenant" if is_shared(self.kind, name) else "run")
            for name, version in self._versions.items()
        }

    async def move_legacy(self, *, discard: bool) -> dict[str, bool]:
        return {}  # state of this process has no earlier versions

    async def reset(self, name: str) -> bool:
        self._values.pop(name, None)
        return self._versions.pop(name, None) is not None

    def _store_value(self, name: str, value: Any) -> None:
        self._values[name] = value
        self._advance_version(name)
