"""Which samples of a batch are worth keeping: their rank in each kind."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from reward_gateway.operations.groups import Groups, measure
from reward_gateway.sample import ComponentScores, FloatArray, Scored

from .kinds import RESERVOIR, Kind

MOST_RECIPES = 256
"""Recipes whose components' means are remembered."""


class Ranks(NamedTuple):
    """A batch's samples [n]: rank by kind, NaN where a sample is none of the kind; and what ranks are made of."""

    by_kind: dict[Kind, FloatArray]
    spread: FloatArray
    disagreement: FloatArray


def name_set(kind: Kind, recipe: str) -> str:
    """The set that samples of a kind compete in: that of their recipe, as rewards of two have no common scale."""
    if kind == RESERVOIR:
        return RESERVOIR
    return f"{kind}:{hashlib.blake2b(recipe.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


@dataclass(slots=True)
class _Moments:
    count: float = 0.0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: FloatArray) -> None:
        count, mean = len(values), float(values.mean())
        total = self.count + count
        apart = mean - self.mean
        self.squares += float(((values - mean) ** 2).sum()) + apart * apart * self.count * count / total
        self.mean += apart * count / total
        self.count = total

    @property
    def std(self) -> float:
        return float(np.sqrt(self.squares / (self.count - 1))) if self.count > 1 else 0.0


@dataclass(slots=True)
class Ranking:
    """Ranks samples. Remembers mean and std of each recipe's components, so that they can be compared."""

    random: np.random.Generator = field(default_factory=np.random.default_rng)
    _moments: dict[tuple[str, str], dict[str, _Moments]] = field(default_factory=dict, init=False)

    def rank(self, scored: Scored) -> Ranks:
        """The ranks of a batch; with huge numbers a rank may be infinite."""
        size = len(scored.reward)
        chance = self.random.random(size)
        bad = np.zeros(size, dtype=bool)
        bad[[row for row in scored.invalid if row < size]] = True
        flagged = np.zeros(size, dtype=bool)
        flagged[[row for row, names in scored.flags.items() if names and row < size]] = True
        raw = scored.reward if scored.reward_raw is None else scored.reward_raw
        reward = np.where(bad | ~np.isfinite(raw), np.nan, raw)
        with np.errstate(over="ignore", invalid="ignore"):
            spread, ends = self._rank_groups(reward, scored)
            disagreement = self._rank_components(scored, bad)
        by_kind: dict[Kind, FloatArray] = {
            "reservoir": chance,
            "top": reward,
            "bottom": -reward,
            "flagged": np.where(flagged, chance, np.nan),
            "invalid": np.where(bad, chance, np.nan),
            "spread": np.where(ends & (spread > 0), spread, np.nan),
            "disagreement": np.where(disagreement > 0, disagreement, np.nan),
        }
        return Ranks(by_kind, spread, disagreement)

    @staticmethod
    def _rank_groups(reward: FloatArray, scored: Scored) -> tuple[FloatArray, np.ndarray]:
        """[n] standard deviation of each sample's group, and whether it is the best or the worst of it."""
        ends = np.zeros(len(reward), dtype=bool)
        if scored.group_keys is None or len(reward) < 2:
            return np.full(len(reward), np.nan), ends
        _, index = np.unique(scored.group_keys, return_inverse=True)
        groups = Groups(index, int(index.max()) + 1)
        for rows in groups.ascending(reward):
            ends[[rows[0], rows[-1]]] = len(rows) > 1
        return measure(reward, groups).std[index], ends

    def _rank_components(self, scored: Scored, bad: np.ndarray) -> FloatArray:
        """[n] standard deviation over the components, each on the scale of its own mean and std up to now."""
        unknown = np.full(len(scored.reward), np.nan)
        if len(scored.components) < 2:
            return unknown
        recipe = scored.recipe, scored.version
        if recipe not in self._moments and len(self._moments) >= MOST_RECIPES:
            self._moments.clear()
        known = self._moments.setdefault(recipe, {})
        columns: list[FloatArray] = []
        for name, part in scored.components.items():
            values = _numbers_of(part, bad)
            moments = known.setdefault(name, _Moments())
            if (numbers := values[np.isfinite(values)]).size:
                moments.add(numbers)
            if moments.std > 0:
                columns.append((values - moments.mean) / moments.std)
        return _spread_of(columns) if len(columns) > 1 else unknown


def _numbers_of(part: ComponentScores, bad: np.ndarray) -> FloatArray:
    skipped = bad if part.skipped is None else bad | np.array([by is not None for by in part.skipped])
    return np.where(skipped, np.nan, part.value)


def _spread_of(columns: Sequence[FloatArray]) -> FloatArray:
    """[n] standard deviation (divisor n) over the columns that have a number; NaN where fewer than two have."""
    table = np.array(columns)
    there = np.isfinite(table)
    count = there.sum(axis=0)
    numbers = np.where(there, table, 0.0)
    mean = numbers.sum(axis=0) / np.maximum(count, 1)
    squares = np.where(there, (table - mean) ** 2, 0.0).sum(axis=0)
    return np.where(count > 1, np.sqrt(squares / np.maximum(count, 1)), np.nan)
