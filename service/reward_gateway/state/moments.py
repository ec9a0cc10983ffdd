"""Running moments of streams: count, mean and sum of squared deviations, merged by Chan's parallel update.

Count, mean and M2 of two parts a and b (Chan, Golub and LeVeque 1983):
n = n_a + n_b;  d = mean_b - mean_a;  mean = mean_a + d n_b / n;  M2 = M2_a + M2_b + d^2 n_a n_b / n.
"""

from typing import Any

from reward_gateway.errors import InvalidRequest

from .local_store import LocalVersionedStore
from .redis_store import RedisVersionedStore
from .values import check_mapping, check_numbers

FIELDS = ("count", "mean", "m2")
Triple = tuple[float, float, float]
NOTHING: Triple = (0.0, 0.0, 0.0)
"""The moments of no numbers."""


MOST_VALUES = 2.0**53
"""Up to here every whole number is a double, so that one more value still counts."""

LARGEST_MEAN, LARGEST_M2 = 1e100, 1e250
"""Moments within these stay finite when others are merged into them; numbers of this size are no rewards."""


def merge_triples(a: Triple, b: Triple) -> Triple:
    """The moments of both parts together, with the same operations in the same order as ``commit_writes.lua``."""
    (na, mean_a, m2_a), (nb, mean_b, m2_b) = a, b
    n = na + nb
    if nb == 0:
        return a
    delta = mean_b - mean_a
    return n, mean_a + delta * nb / n, m2_a + m2_b + delta * delta * na * nb / n


def _check_moments(value: Any) -> Triple:
    fields = check_mapping(value, "moments")
    if set(fields) != set(FIELDS):
        raise InvalidRequest("moments: count, mean and m2 are needed", param="value")
    count, mean, m2 = check_numbers([fields[name] for name in FIELDS], "moments")
    if not 0 <= count <= MOST_VALUES or not count.is_integer():
        raise InvalidRequest("moments: count must be a whole number from 0 to 2^53", param="value")
    if not 0 <= m2 <= LARGEST_M2 or abs(mean) > LARGEST_MEAN:
        message = f"moments: m2 must lie from 0 to {LARGEST_M2:g}, and mean within ± {LARGEST_MEAN:g}"
        raise InvalidRequest(message, param="value")
    if count < 2 and m2 > 0:
        raise InvalidRequest("moments: m2 of fewer than two values is 0", param="value")
    return count, mean, m2


class LocalMoments(LocalVersionedStore[Triple]):
    """Implements :class:`.port.MomentsStore` in this process."""

    kind = "moments"

    async def read(self, stream: str) -> Triple:
        return self._values.get(stream, NOTHING)

    def merge_batch(self, stream: str, batch: Triple) -> None:
        """Merge a batch immediately."""
        self._store_value(stream, merge_triples(self._values.get(stream, NOTHING), batch))

    async def export_value(self, name: str) -> dict[str, float] | None:
        triple = self._values.get(name)
        return None if triple is None else dict(zip(FIELDS, triple, strict=True))

    async def restore_value(self, name: str, value: Any) -> None:
        self._store_value(name, _check_moments(value))


class RedisMoments(RedisVersionedStore):
    """Implements :class:`.port.MomentsStore` in Redis: one hash per stream."""

    kind = "moments"

    async def read(self, stream: str) -> Triple:
        return await self._read_triple(stream) or NOTHING

    async def export_value(self, name: str) -> dict[str, float] | None:
        triple = await self._read_triple(name)
        return None if triple is None else dict(zip(FIELDS, triple, strict=True))

    async def restore_value(self, name: str, value: Any) -> None:
        triple = _check_moments(value)
        pairs = [part for pair in zip(FIELDS, map(repr, triple), strict=True) for part in pair]
        await self._replace_value(name, "HSET", self.make_key(name), pairs)

    async def _read_triple(self, stream: str) -> Triple | None:
        async def fetch(legacy: bool) -> Triple | None:
            (values,) = await self.read_commands(("HMGET", self.make_key(stream, legacy=legacy), *FIELDS))
            return None if None in values else (float(values[0]), float(values[1]), float(values[2]))

        return await self._read_stored(stream, fetch)
