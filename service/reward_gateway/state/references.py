"""Reference rewards: the rewards of a prompt's reference responses by a recipe or model, a capped list per group."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reward_gateway.sample import FloatArray

from .local_store import LocalVersionedStore
from .redis_store import RedisVersionedStore
from .values import check_reference_rewards

CAP = 1024
"""Maximum number of rewards per group; the oldest are dropped first."""


class LocalReferences(LocalVersionedStore[dict[str, list[float]]]):
    """Implements :class:`.port.ReferenceStore` in this process."""

    kind = "references"

    def __init__(self, cap: int = CAP) -> None:
        super().__init__()
        self._cap = cap

    async def read(self, name: str, groups: Sequence[str]) -> list[FloatArray | None]:
        stored = self._values.get(name, {})
        return [np.array(stored[group]) if stored.get(group) else None for group in groups]

    def add_rewards(self, name: str, rewards: Mapping[str, list[float]], *, replace: bool) -> None:
        """Append checked rewards to groups, or replace the groups' rewards; immediately."""
        stored = self._values.get(name, {})
        for group, values in rewards.items():
            stored[group] = ([] if replace else stored.get(group, []))[-self._cap :] + values
            stored[group] = stored[group][-self._cap :]
        self._store_value(name, stored)

    async def export_value(self, name: str) -> dict[str, list[float]] | None:
        stored = self._values.get(name)
        return None if stored is None else {group: list(values) for group, values in stored.items()}

    async def restore_value(self, name: str, value: Any) -> None:
        self._store_value(
            name, {group: values[-self._cap :] for group, values in check_reference_rewards(value).items()}
        )


class RedisReferences(RedisVersionedStore):
    """Implements :class:`.port.ReferenceStore` in Redis: one hash per name, a group's rewards packed as doubles."""

    kind = "references"

    async def read(self, name: str, groups: Sequence[str]) -> list[FloatArray | None]:
        if not groups:
            return []
        unique_groups = list(dict.fromkeys(groups))

        async def fetch(legacy: bool) -> list[bytes | None] | None:
            (values,) = await self.read_commands(("HMGET", self.make_key(name, legacy=legacy), *unique_groups))
            return values if any(values) else None

        values = await self._read_stored(name, fetch) or [None] * len(unique_groups)
        packed = dict(zip(unique_groups, values, strict=True))
        return [_unpack_rewards(value) if (value := packed[group]) else None for group in groups]

    async def export_value(self, name: str) -> dict[str, list[float]] | None:
        async def fetch(legacy: bool) -> dict[bytes, bytes] | None:
            (stored,) = await self.read_commands(("HGETALL", self.make_key(name, legacy=legacy)))
            return stored or None

        stored = await self._read_stored(name, fetch)
        return {group.decode(): _unpack_rewards(value).tolist() for group, value in stored.items()} if stored else None

    async def restore_value(self, name: str, value: Any) -> None:
        packed = {group: pack_rewards(values[-CAP:]) for group, values in check_reference_rewards(value).items()}
        await self._replace_value(name, "HSET", self.make_key(name), [part for pair in packed.items() for part in pair])


def pack_rewards(values: Sequence[float]) -> bytes:
    """Rewards encoded for Redis: little-endian doubles."""
    return np.asarray(values, dtype="<f8").tobytes()


def _unpack_rewards(value: bytes) -> FloatArray:
    return np.frombuffer(value, dtype="<f8").astype(np.float64)
