"""Named state in this process, with the behaviour of the Redis stores; lost when the process ends."""

import itertools
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class LocalVersionedStore(Generic[Value]):
    """Values by name, with versions. No call awaits anything, so each is atomic on the event loop."""

    kind = ""

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}
        self._versions: dict[str, int] = {}
        self._clock = itertools.count(1)

    def _advance_version(self, name: str) -> None:
        self._versions[name] = next(self._clock)

    async def list_versions(self) -> dict[str, int]:
        return dict(self._versions)

    async def reset(self, name: str) -> bool:
        self._values.pop(name, None)
        return self._versions.pop(name, None) is not None

    def _store_value(self, name: str, value: Any) -> None:
        self._values[name] = value
        self._advance_version(name)
