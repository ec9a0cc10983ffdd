"""Reference rewards: what reference responses of a prompt got from a reward or model, a capped list a group."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reward_gateway.sample import FloatArray

from .local_store import LocalVersionedStore
from .redis_store import RedisVersionedStore
from .values import reference_rewards

CAP = 1024
"""Rewards that are kept a group; the oldest go first."""


class LocalReferences(LocalVersionedStore[dict[str, list[float]]]):
    """Implements :class:`.port.ReferenceStore` in this process."""

    kind = "references"

    def __init__(self, cap: int = CAP) -> None:
        super().__init__()
        self._cap = cap

    async def read(self, name: str, groups: Sequence[str]) -> list[FloatArray | None]:
        stored = self._values.get(name, {})
        return [np.array(stored[group]) if stored.get(group) else None for group in groups]

    def add(self, name: str, rewards: Mapping[str, list[float]], *, replace: bool) -> None:
        """Append checked rewards to groups, or put them in the place of what is there; now."""
        stored = self._values.get(name, {})
        for group, values in rewards.items():
            stored[group] = ([] if replace else stored.get(group, []))[-self._cap :] + values
            stored[group] = stored[group][-self._cap :]
        self._put(name, stored)

    async def export(self, name: str) -> dict[str, list[float]] | None:
        stored = self._values.get(name)
        return None if stored is None else {group: list(values) for group, values in stored.items()}

    async def restore(self, name: str, value: Any) -> None:
        self._put(name, {group: values[-self._cap :] for group, values in reference_rewards(value).items()})


class RedisReferences(RedisVersionedStore):
    """Implements :class:`.port.ReferenceStore` in Redis: one hash a name, a group's rewards packed as doubles."""

    kind = "references"

    async def read(self, name: str, groups: Sequence[str]) -> list[FloatArray | None]:
        if not groups:
            return []
        wanted = list(dict.fromkeys(groups))
        async with self._asking() as client:
            packed = dict(zip(wanted, await client.hmget(self._key(name), wanted), strict=True))
        return [_unpacked(value) if (value := packed[group]) else None for group in groups]

    async def export(self, name: str) -> dict[str, list[float]] | None:
        async with self._asking() as client:
            stored = await client.hgetall(self._key(name))
        return {group.decode(): _unpacked(value).tolist() for group, value in stored.items()} if stored else None

    async def restore(self, name: str, value: Any) -> None:
        packed = {group: packed_rewards(values[-CAP:]) for group, values in reference_rewards(value).items()}
        async with self._replacing(name) as pipeline:
            if packed:
                pipeline.hset(self._key(name), mapping=packed)


def packed_rewards(values: Sequence[float]) -> bytes:
    """Rewards as Redis keeps them: little-endian doubles."""
    return np.asarray(values, dtype="<f8").tobytes()


def _unpacked(value: bytes) -> FloatArray:
    return np.frombuffer(value, dtype="<f8").astype(np.float64)
