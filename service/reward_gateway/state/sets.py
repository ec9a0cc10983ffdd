"""Named JSON values: embeddings, centroids, exemplar statistics, reference sets. Stored whole, read whole."""

import json
from typing import Any, Self

from reward_gateway.errors import NotFound

from .local_store import LocalVersionedStore, OwnedNames
from .namespace import Namespace
from .redis_store import RedisVersionedStore
from .values import encode_set


def format_address(kind: str, name: str) -> str:
    """The name of a set in listings: ``KIND/NAME``."""
    return f"{kind}/{name}"


def _make_not_found(kind: str, name: str) -> NotFound:
    return NotFound(f"there is no stored set {format_address(kind, name)}; store it first")


class LocalSets(LocalVersionedStore[str]):
    """Implements :class:`.port.SetStore` in this process. Stores JSON text, so that readers cannot change each other's
    values.
    """

    kind = "sets"

    def __init__(self) -> None:
        super().__init__()
        self._counts: OwnedNames[int] = OwnedNames(self.kind)

    def within(self, space: Namespace) -> Self:
        view = super().within(space)
        view._counts = self._counts.within(space)
        return view

    async def read(self, kind: str, name: str) -> Any:
        text = self._values.get(format_address(kind, name))
        if text is None:
            raise _make_not_found(kind, name)
        return json.loads(text)

    async def put(self, kind: str, name: str, value: Any) -> None:
        await self.restore_value(format_address(kind, name), value)

    async def count_versions(self, kind: str, name: str) -> int:
        return self._counts.get(format_address(kind, name), 0)

    def add_version(self, kind: str, name: str, version: int, text: str) -> None:
        """Store JSON text as a version and as the newest, now."""
        self._counts[format_address(kind, name)] = version
        self._store_value(format_address(kind, f"{name}@{version}"), text)
        self._store_value(format_address(kind, name), text)

    async def export_value(self, name: str) -> Any:
        return json.loads(self._values[name]) if name in self._values else None

    async def restore_value(self, name: str, value: Any) -> None:
        self._store_value(name, encode_set(value))


class RedisSets(RedisVersionedStore):
    """Implements :class:`.port.SetStore` in Redis: JSON text per name."""

    kind = "sets"

    async def read(self, kind: str, name: str) -> Any:
        text = await self._read_text(format_address(kind, name))
        if text is None:
            raise _make_not_found(kind, name)
        return json.loads(text)

    async def put(self, kind: str, name: str, value: Any) -> None:
        await self.restore_value(format_address(kind, name), value)

    async def count_versions(self, kind: str, name: str) -> int:
        return int(await self._read_text(format_address(kind, name), "count") or 0)

    async def export_value(self, name: str) -> Any:
        text = await self._read_text(name)
        return None if text is None else json.loads(text)

    async def _read_text(self, name: str, part: str = "data") -> bytes | None:
        async def fetch(legacy: bool) -> bytes | None:
            text: bytes | None
            (text,) = await self.read_commands(("GET", self.make_key(name, part, legacy=legacy)))
            return text

        return await self._read_stored(name, fetch)

    def list_kept_keys(self, name: str, *, legacy: bool = False) -> list[str]:
        return [self.make_key(name, part, legacy=legacy) for part in ("data", "count")]

    async def restore_value(self, name: str, value: Any) -> None:
        await self._replace_value(name, "SET", self.make_key(name), [encode_set(value)])
