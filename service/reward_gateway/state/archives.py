"""Archives of vectors: what a run has seen, for novelty against all of it. All vectors of one are of one size."""

from typing import Any

import numpy as np
from redis.asyncio import Redis

from reward_gateway.errors import InvalidRequest
from reward_gateway.sample import FloatArray

from .local_store import LocalVersionedStore
from .redis_store import TIMEOUT_S, RedisVersionedStore
from .values import vectors as checked

CAP = 10_000
"""Vectors that are kept; the oldest go first."""


def _unequal(stored: int, given: int) -> InvalidRequest:
    return InvalidRequest(f"the archive holds vectors of {stored} numbers and these have {given}", param="vectors")


class LocalArchives(LocalVersionedStore[FloatArray]):
    """Implements :class:`.port.ArchiveStore` in this process."""

    kind = "archives"

    def __init__(self, cap: int = CAP) -> None:
        super().__init__()
        self._cap = cap

    async def read(self, archive: str) -> FloatArray:
        return self._values.get(archive, np.empty((0, 0))).copy()

    async def add(self, archive: str, vectors: FloatArray) -> None:
        rows = checked(vectors, "archive")
        if not len(rows):
            return
        stored = self._values.get(archive, rows[:0])
        if stored.shape[1] != rows.shape[1]:
            raise _unequal(stored.shape[1], rows.shape[1])
        self._put(archive, np.concatenate([stored, rows])[-self._cap :])

    async def export(self, name: str) -> list[list[float]] | None:
        return self._values[name].tolist() if name in self._values else None

    async def restore(self, name: str, value: Any) -> None:
        rows = checked(value, "archive")
        await self.reset(name)
        await self.add(name, rows)


class RedisArchives(RedisVersionedStore):
    """Implements :class:`.port.ArchiveStore` in Redis: one list an archive, a vector an entry, packed as doubles."""

    kind = "archives"

    def __init__(self, client: Redis, timeout_s: float = TIMEOUT_S, cap: int = CAP) -> None:
        super().__init__(client, timeout_s)
        self._cap = cap

    async def read(self, archive: str) -> FloatArray:
        async with self._asking() as client:
            rows = await client.lrange(self._key(archive), 0, -1)
        return np.frombuffer(b"".join(rows), dtype="<f8").reshape(len(rows), -1).copy() if rows else np.empty((0, 0))

    async def add(self, archive: str, vectors: FloatArray) -> None:
        rows = checked(vectors, "archive")
        if not len(rows):
            return
        stored = await self._run("add_vectors", [self._key(archive)], [archive, self._cap, *_packed(rows)])
        if stored != rows.shape[1] * 8:
            raise _unequal(stored // 8, rows.shape[1])

    async def export(self, name: str) -> list[list[float]] | None:
        rows = await self.read(name)
        return rows.tolist() if len(rows) else None

    async def restore(self, name: str, value: Any) -> None:
        rows = checked(value, "archive")[-self._cap :]
        if not len(rows):
            await self.reset(name)
            return
        async with self._replacing(name) as pipeline:
            pipeline.rpush(self._key(name), *_packed(rows))


def _packed(rows: FloatArray) -> list[bytes]:
    return [row.tobytes() for row in rows.astype("<f8")]
