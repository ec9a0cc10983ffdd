"""Named JSON values: embeddings, centroids, exemplar statistics, reference sets. Stored whole, read whole."""

import json
from collections import Counter
from typing import Any

from reward_gateway.errors import NotFound

from .local_store import LocalVersionedStore
from .redis_store import RedisVersionedStore
from .values import set_text


def address(kind: str, name: str) -> str:
    """The one name of a set in listings: its kind, then its own name."""
    return f"{kind}/{name}"


def _missing(kind: str, name: str) -> NotFound:
    return NotFound(f"there is no stored set {address(kind, name)}; put it first")


class LocalSets(LocalVersionedStore[str]):
    """Implements :class:`.port.SetStore` in this process. Holds JSON text, so that no reader changes another's."""

    kind = "sets"

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[str] = Counter()

    async def read(self, kind: str, name: str) -> Any:
        text = self._values.get(address(kind, name))
        if text is None:
            raise _missing(kind, name)
        return json.loads(text)

    async def put(self, kind: str, name: str, value: Any) -> None:
        await self.restore(address(kind, name), value)

    async def versions(self, kind: str, name: str) -> int:
        return self._counts[address(kind, name)]

    def add_version(self, kind: str, name: str, version: int, text: str) -> None:
        """Store JSON text as a version and as the newest, now."""
        self._counts[address(kind, name)] = version
        self._put(address(kind, f"{name}@{version}"), text)
        self._put(address(kind, name), text)

    async def export(self, name: str) -> Any:
        return json.loads(self._values[name]) if name in self._values else None

    async def restore(self, name: str, value: Any) -> None:
        self._put(name, set_text(value))


class RedisSets(RedisVersionedStore):
    """Implements :class:`.port.SetStore` in Redis: JSON text a name."""

    kind = "sets"

    async def read(self, kind: str, name: str) -> Any:
        async with self._asking() as client:
            text = await client.get(self._key(address(kind, name)))
        if text is None:
            raise _missing(kind, name)
        return json.loads(text)

    async def put(self, kind: str, name: str, value: Any) -> None:
        await self.restore(address(kind, name), value)

    async def versions(self, kind: str, name: str) -> int:
        async with self._asking() as client:
            return int(await client.get(self._key(address(kind, name), "count")) or 0)

    async def export(self, name: str) -> Any:
        async with self._asking() as client:
            text = await client.get(self._key(name))
        return None if text is None else json.loads(text)

    async def restore(self, name: str, value: Any) -> None:
        text = set_text(value)
        async with self._replacing(name) as pipeline:
            pipeline.set(self._key(name), text)
