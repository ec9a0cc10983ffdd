"""Results of a batch: raw scores of a model, components of a recipe, rewards.

Scores are float64 arrays; they contain NaN exactly where an :class:`Invalid` gives the reason.
"""

import math
from collections.abc import Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .invalid import Invalid

LARGE_ANSWER = 10_000
"""Numbers of an answer that is encoded off the event loop; one takes about a microsecond."""

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


Answer = Literal["normalized", "combined"]
"""The reward after the comparison within the group, or before it."""


def all_finite(values: FloatArray) -> bool:
    """Whether every number is finite.

    The sum of finite numbers is finite, unless they are so large that it runs over; of a few numbers it is known in a
    tenth of the time.
    """
    return math.isfinite(sum(values.tolist())) or bool(np.isfinite(values).all())


@dataclass(slots=True)
class RawScores:
    """The raw scores of one model for a batch.

    Attributes:
        values: [n, K] float64, NaN in the rows that ``invalid`` explains.
        invalid: row -> reason.
        flags: row -> names of the flags that the model raised (``truncated``, ``out_of_distribution`` …).
        cached: [n] bool, True for rows from the cache.
        model, version: the model that answered; both are in the answer and in the cache key.
        dimension: name of the one number of several that ``values`` holds; None for a model's first or only number, and
            where ``values`` holds all.
        fallback: the model answered in place of the one that was asked for, which is away.
    """

    values: FloatArray
    model: str
    version: str
    cached: BoolArray
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    dimension: str | None = None
    fallback: bool = False


Origin = tuple[str | None, str | None]
"""Model and version that gave a number; (None, None): none did."""


@dataclass(slots=True)
class ComponentScores:
    """One component of a recipe over a batch: before its transforms (``raw``) and after (``value``), both [n]."""

    raw: FloatArray
    value: FloatArray
    model: str | None = None
    model_version: str | None = None
    cached: BoolArray | None = None
    vectors: list[FloatArray | None] | None = None
    """Per step, turn or token, if the component gives a vector per sample."""
    judge_answers: Sequence[Any] | None = None
    """[n] text of a judge's answer, if the component may call one; None in rows without a call."""
    verdicts: dict[str, FloatArray] | None = None
    """How a rule came to its verdicts: name -> [n] 1.0 or 0.0; the same names for every request to a recipe."""
    skipped: Sequence[str | None] | None = None
    """[n] what decided that the component was not computed, None where it was; None: it was in every row. A row that
    was skipped has no ``raw``, was asked of no model, and its ``value`` is the recipe's ``otherwise``."""
    models: Sequence[Origin] | None = None
    """[n] model and version by row, where a key of the sample chooses the scorer; None: they are the same for all."""
    limits: Sequence[float | None] | None = None
    """[n] seconds that scoring might take, where its problem has a limit of its own; None: no row has one."""

    @property
    def differs_by_row(self) -> bool:
        """Whether rows have more to tell of it than numbers, and whether these came from the cache."""
        columns = self.vectors, self.judge_answers, self.skipped, self.models, self.limits
        return any(column is not None for column in columns)

    def origin_of(self, row: int) -> Origin:
        """Model and version that a row's number is from; (None, None) where it was skipped, and for a rule."""
        if self.skipped is not None and self.skipped[row] is not None:
            return None, None
        return (self.model, self.model_version) if self.models is None else self.models[row]


@dataclass(frozen=True, slots=True)
class GroupStats:
    """What the samples of one prompt are like: their rewards before the comparison, or one component of them.

    Attributes:
        n: valid members.
        mean, std: std with divisor n - 1; None where too few members say.
        all_equal: they carry no signal for a reward that is compared.
        accuracy: share above 0.5.
        keep: whether the recipe's rule keeps the group; None: it has no rule.
    """

    n: int
    mean: float | None
    std: float | None
    all_equal: bool
    accuracy: float | None
    keep: bool | None


@dataclass(slots=True)
class Usage:
    """The cost of an answer. Hits and misses count component x sample, and questions to judges; ``skipped`` counts
    component x sample that conditions left out."""

    samples: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    model_calls: int = 0
    skipped: int = 0


@dataclass(slots=True)
class Scored:
    """A batch with its rewards, which every API encodes.

    Attributes:
        reward: [n] float64, NaN for rows in ``invalid``.
        reward_raw: [n] float64 of recipes that compare samples, else None: the combined reward before the comparison;
            NaN for rows in ``invalid``.
        answer: which of the two an entry with room for one number answers.
        rewards: one vector per sample where the recipe ends in credit assignment, else None.
        components: by name, in the recipe's order; the same names for every sample.
        flags: row -> names.
        versions: [n] the version of the recipe that scored each sample, where the recipe has a canary: ``version`` is
            the one that scored all of them, else the recipe's own. None: it has none.
        timing_ms: total, decode, cache, inference, combine.
    """

    recipe: str
    version: str
    reward: FloatArray
    components: dict[str, ComponentScores]
    rewards: list[Any] | None = None
    reward_raw: FloatArray | None = None
    answer: Answer = "normalized"
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    versions: Sequence[str] | None = None
    groups: dict[str, GroupStats] | None = None
    """By name, where the recipe compares samples of one request; else None."""
    usage: Usage = field(default_factory=Usage)
    timing_ms: dict[str, float] = field(default_factory=dict)
    lengths: FloatArray | None = None
    """[n] characters of the responses, NaN for a missing one; None where nobody asks."""
    group_keys: IntArray | None = None
    """[n] equal within this process where samples have one group; None where nobody asks."""

    @property
    def answered(self) -> FloatArray:
        """[n] what an entry with room for one number answers; a failed row has what ``reward`` has there."""
        if self.answer == "normalized" or self.reward_raw is None:
            return self.reward
        return np.where(np.isnan(self.reward_raw), self.reward, self.reward_raw)

    def count_numbers(self) -> int:
        """How many numbers an answer holds at most; see :data:`LARGE_ANSWER`."""
        columns = [self.rewards, *(scores.vectors for scores in self.components.values())]
        vectors = [len(row) for column in columns for row in column or () if isinstance(row, Sized)]
        return len(self.reward) * (1 + len(self.components)) + sum(vectors)
