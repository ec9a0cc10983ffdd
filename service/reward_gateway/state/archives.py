"""Archives of vectors: what a run has seen, for novelty against all of it. All vectors of one are of one size."""

from typing import Any

import numpy as np

from reward_gateway.errors import InvalidRequest
from reward_gateway.sample import FloatArray

from .local_store import LocalVersionedStore
from .redis_store import RedisVersionedStore
from .values import vectors as checked

CAP = 10_000
"""Vectors that are kept; the oldest go first."""


def unequal(stored: int, given: int) -> InvalidRequest:
    """The refusal of vectors that do not fit an archive."""
    return InvalidRequest(f"the archive holds vectors of {stored} numbers and these have {given}", param="vectors")


class LocalArchives(LocalVersionedStore[FloatArray]):
    """Implements :class:`.port.ArchiveStore` in this process."""

    kind = "archives"

    def __init__(self, cap: int = CAP) -> None:
        super().__init__()
        self._cap = cap

    async def read(self, archive: str) -> FloatArray:
        return self._values.get(archive, np.empty((0, 0))).copy()

    def check(self, archive: str, rows: FloatArray) -> None:
        """Raises InvalidRequest for vectors [k, d] of another size than those that are stored."""
        stored = self._values.get(archive)
        if stored is not None and stored.shape[1] != rows.shape[1]:
            raise unequal(stored.shape[1], rows.shape[1])

    def append(self, archive: str, rows: FloatArray) -> None:
        """Append vectors [k, d] that were checked, now."""
        self._put(archive, np.concatenate([self._values.get(archive, rows[:0]), rows])[-self._cap :])

    async def export(self, name: str) -> list[list[float]] | None:
        return self._values[name].tolist() if name in self._values else None

    async def restore(self, name: str, value: Any) -> None:
        rows = checked(value, "archive")
        await self.reset(name)
        if len(rows):
            self.append(name, rows)


class RedisArchives(RedisVersionedStore):
    """Implements :class:`.port.ArchiveStore` in Redis: one list an archive, a vector an entry, packed as doubles."""

    kind = "archives"

    async def read(self, archive: str) -> FloatArray:
        async with self._asking() as client:
            rows = await client.lrange(self._key(archive), 0, -1)
        return np.frombuffer(b"".join(rows), dtype="<f8").reshape(len(rows), -1).copy() if rows else np.empty((0, 0))

    async def export(self, name: str) -> list[list[float]] | None:
        rows = await self.read(name)
        return rows.tolist() if len(rows) else None

    async def restore(self, name: str, value: Any) -> None:
        rows = checked(value, "archive")[-CAP:]
        if not len(rows):
            await self.reset(name)
            return
        async with self._replacing(name) as pipeline:
            pipeline.rpush(self._key(name), *packed(rows))


def packed(rows: FloatArray) -> list[bytes]:
    """Vectors [k, d] as Redis keeps them, each as little-endian doubles."""
    return [row.tobytes() for row in rows.astype("<f8")]
