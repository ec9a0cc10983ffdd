"""What came of a batch: raw scores of a model, components of a recipe, rewards.

Scores are float64 arrays; NaN stands inside them where, and only where, :class:`Invalid` says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .invalid import Invalid

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(slots=True)
class RawScores:
    """The raw scores of one model for a batch.

    Attributes:
        values: [n, K] float64, NaN in the rows that ``invalid`` explains.
        invalid: row -> reason.
        flags: row -> names of the flags that the model raised (``truncated``, ``out_of_distribution`` …).
        cached: [n] bool, the rows that were answered from the cache.
        model, version: which model answered; both are in the answer and in the cache key.
    """

    values: FloatArray
    model: str
    version: str
    cached: BoolArray
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class ComponentScores:
    """One component of a recipe over a batch: before its transforms (``raw``) and after (``value``), both [n]."""

    raw: FloatArray
    value: FloatArray
    model: str | None = None
    model_version: str | None = None
    cached: BoolArray | None = None
    vectors: list[FloatArray | None] | None = None
    """Per step, turn or token, where the component gives a vector per sample."""
    judge_answers: Sequence[Any] | None = None
    """[n] the text of a judge's answer, where the component may ask one; None in rows that it was not asked about."""


@dataclass(slots=True)
class Usage:
    """What answering cost. Hits and misses count component x sample."""

    samples: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    model_calls: int = 0


@dataclass(slots=True)
class Scored:
    """A batch with its rewards: the one thing that every edge encodes.

    Attributes:
        reward: [n] float64, NaN where ``invalid`` has the row.
        rewards: one vector per sample where the recipe ends in credit assignment, else None.
        components: by name, in the recipe's order; the same names for every sample.
        flags: row -> names.
        timing_ms: total, decode, cache, inference, combine.
    """

    recipe: str
    version: str
    reward: FloatArray
    components: dict[str, ComponentScores]
    rewards: list[Any] | None = None
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    timing_ms: dict[str, float] = field(default_factory=dict)
