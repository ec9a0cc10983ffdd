"""Coefficients that batches adapt: the multiplier of a constraint, the weight of a KL penalty.

A batch says how the value changes, not what it becomes: that is computed from the stored value when the batch is
committed, so that of batches at the same time each counts once.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from reward_gateway.errors import InvalidRequest

from .local_store import LocalVersionedStore
from .redis_store import RedisVersionedStore
from .values import check_mapping, check_numbers

FIELDS = ("value", "updates")

MOST = 1e6
"""Largest coefficient that is stored."""

MOST_UPDATES = 2.0**53
"""Up to here every whole number is a double, so that one more update still counts."""

LARGEST_EXPONENT = 700.0
"""Its exponential is a double; that of any larger one is beyond every coefficient."""

Rule = Literal["add", "grow", "scale"]
"""add: v + a. grow: v exp(v a), which is ln v + v a. scale: v a."""

Coefficient = tuple[float, float]
"""The value, and how many updates it has had."""


class Update(NamedTuple):
    """How a batch changes a coefficient.

    Attributes:
        amount: a, a finite number.
        start: the value where none is stored.
        least, most: the new value is at least and at most these.
    """

    rule: Rule
    amount: float
    start: float
    least: float = 0.0
    most: float = MOST


def apply_updates(stored: Coefficient | None, updates: Sequence[Update]) -> Coefficient:
    """The coefficient after the updates of a batch, with the same operations in the same order as
    ``commit_writes.lua``."""
    value, count = (updates[0].start, 0.0) if stored is None else stored
    for update in updates:
        if update.rule == "add":
            value = value + update.amount
        elif update.rule == "grow":
            value = value * math.exp(min(value * update.amount, LARGEST_EXPONENT))
        else:
            value = value * update.amount
        value = min(max(value, update.least), update.most)
    return value, count + len(updates)


def _check_coefficient(given: Any) -> Coefficient:
    fields = check_mapping(given, "coefficients")
    if set(fields) != set(FIELDS):
        raise InvalidRequest("coefficients: value and updates are needed", param="value")
    value, updates = check_numbers([fields[name] for name in FIELDS], "coefficients")
    if not 0 <= value <= MOST:
        raise InvalidRequest(f"coefficients: value must lie from 0 to {MOST:g}", param="value")
    if not 0 <= updates <= MOST_UPDATES or not updates.is_integer():
        raise InvalidRequest("coefficients: updates must be a whole number from 0 to 2^53", param="value")
    return value, updates


class LocalCoefficients(LocalVersionedStore[Coefficient]):
    """Implements :class:`.port.CoefficientStore` in this process."""

    kind = "coefficients"

    async def read(self, name: str) -> float | None:
        stored = self._values.get(name)
        return None if stored is None else stored[0]

    def update(self, name: str, updates: Sequence[Update]) -> None:
        """Apply the updates of a batch immediately."""
        self._store_value(name, apply_updates(self._values.get(name), updates))

    async def export_value(self, name: str) -> dict[str, float] | None:
        stored = self._values.get(name)
        return None if stored is None else dict(zip(FIELDS, stored, strict=True))

    async def restore_value(self, name: str, value: Any) -> None:
        self._store_value(name, _check_coefficient(value))


class RedisCoefficients(RedisVersionedStore):
    """Implements :class:`.port.CoefficientStore` in Redis: one hash per name."""

    kind = "coefficients"

    async def read(self, name: str) -> float | None:
        stored = await self._read_coefficient(name)
        return None if stored is None else stored[0]

    async def export_value(self, name: str) -> dict[str, float] | None:
        stored = await self._read_coefficient(name)
        return None if stored is None else dict(zip(FIELDS, stored, strict=True))

    async def restore_value(self, name: str, value: Any) -> None:
        stored = _check_coefficient(value)
        pairs = [part for pair in zip(FIELDS, map(repr, stored), strict=True) for part in pair]
        await self._replace_value(name, "HSET", self.make_key(name), pairs)

    async def _read_coefficient(self, name: str) -> Coefficient | None:
        (values,) = await self.read_commands(("HMGET", self.make_key(name), *FIELDS))
        return None if None in values else (float(values[0]), float(values[1]))
