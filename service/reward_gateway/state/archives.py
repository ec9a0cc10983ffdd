"""Archives of vectors that a run has seen, to measure novelty. All vectors of an archive have the same size."""

from typing import Any

import numpy as np

from reward_gateway.errors import InvalidRequest
from reward_gateway.sample import FloatArray

from .local_store import LocalVersionedStore
from .redis_store import RedisVersionedStore
from .values import check_vectors

CAP = 10_000
"""Maximum number of vectors per archive; the oldest are dropped first."""


def make_size_error(stored: int, given: int) -> InvalidRequest:
    """The error for vectors that do not fit an archive."""
    return InvalidRequest(f"the archive holds vectors of {stored} numbers and these have {given}", param="vectors")


class LocalArchives(LocalVersionedStore[FloatArray]):
    """Implements :class:`.port.ArchiveStore` in this process."""

    kind = "archives"

    def __init__(self, cap: int = CAP) -> None:
        super().__init__()
        self._cap = cap

    async def read(self, archive: str) -> FloatArray:
        return self._values.get(archive, np.empty((0, 0))).copy()

    def check_size(self, archive: str, rows: FloatArray) -> None:
        """Check the size of vectors [k, d].

        Raises:
            InvalidRequest: the stored vectors have another size.
        """
        stored = self._values.get(archive)
        if stored is not None and stored.shape[1] != rows.shape[1]:
            raise make_size_error(stored.shape[1], rows.shape[1])

    def append_vectors(self, archive: str, rows: FloatArray) -> None:
        """Append checked vectors [k, d] immediately."""
        self._store_value(archive, np.concatenate([self._values.get(archive, rows[:0]), rows])[-self._cap :])

    async def export_value(self, name: str) -> list[list[float]] | None:
        return self._values[name].tolist() if name in self._values else None

    async def restore_value(self, name: str, value: Any) -> None:
        rows = check_vectors(value, "archive")
        await self.reset(name)
        if len(rows):
            self.append_vectors(name, rows)


class RedisArchives(RedisVersionedStore):
    """Implements :class:`.port.ArchiveStore` in Redis: one list per archive, one entry per vector, packed as
    doubles.
    """

    kind = "archives"

    async def read(self, archive: str) -> FloatArray:
        async def fetch(legacy: bool) -> list[bytes] | None:
            (rows,) = await self.read_commands(("LRANGE", self.make_key(archive, legacy=legacy), 0, -1))
            return rows or None

        rows = await self._read_stored(archive, fetch)
        return np.frombuffer(b"".join(rows), dtype="<f8").reshape(len(rows), -1).copy() if rows else np.empty((0, 0))

    async def export_value(self, name: str) -> list[list[float]] | None:
        rows = await self.read(name)
        return rows.tolist() if len(rows) else None

    async def restore_value(self, name: str, value: Any) -> None:
        rows = check_vectors(value, "archive")[-CAP:]
        if not len(rows):
            await self.reset(name)
            return
        await self._replace_value(name, "RPUSH", self.make_key(name), pack_vectors(rows))


def pack_vectors(rows: FloatArray) -> list[bytes]:
    """Vectors [k, d] encoded for Redis, each as little-endian doubles."""
    return [row.tobytes() for row in rows.astype("<f8")]
