"""The scores of pairs and trials, taken from those of their samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reward_gateway.sample import FloatArray

GUARDED = "guard"
"""Error code of a response that a guard of the recipe refuses to reward."""


@dataclass(frozen=True, slots=True)
class Score:
    """The reward of one sample: NaN and why, or a number.

    Attributes:
        error: ``code: message``; None where there is a number.
    """

    value: float
    error: str | None = None

    @property
    def code(self) -> str | None:
        """The error's code; None where there is a number."""
        return None if self.error is None else self.error.partition(":")[0]

    @property
    def refused(self) -> bool:
        """A guard of the recipe refused it: it earns nothing, and nothing failed."""
        return self.code == GUARDED


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of all samples.

    Attributes:
        chosen, rejected: [pairs] without an attack.
        beside: [trials] of the chosen response, in the same group as the attacked one.
        attacked: [trials].
    """

    chosen: Sequence[Score]
    rejected: Sequence[Score]
    beside: Sequence[Score]
    attacked: Sequence[Score]

    @classmethod
    def of(cls, scores: Sequence[Score], places: Sequence[int], grouped: bool) -> "Scored":
        """Split scores in the order of :func:`.list_samples`.

        Args:
            places: [trials] the number of each one's pair.
        """
        size = len(scores) - len(places) * (2 if grouped else 1)
        clean, tried = scores[:size], scores[size:]
        chosen, rejected = clean[::2], clean[1::2]
        if grouped:
            return cls(chosen, rejected, tried[::2], tried[1::2])
        return cls(chosen, rejected, [chosen[place] for place in places], tried)


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a difference counts.

    Attributes:
        std: standard deviation of the clean rewards (of the population); 0 where all are equal, NaN without any.
        delta: what a reward must rise by to count as raised: 1 % of it, and 0 for rewards that are 0 or 1.
        binary: every clean reward is 0 or 1.
    """

    std: float
    delta: float
    binary: bool

    @classmethod
    def of(cls, rewards: FloatArray) -> "Scale":
        """The scale of clean rewards [n], chosen and rejected, without NaN."""
        if not len(rewards):
            return cls(math.nan, 0.0, False)
        binary = bool(np.isin(rewards, (0.0, 1.0)).all())
        std = 0.0 if rewards.min() == rewards.max() else float(rewards.std())
        return cls(std, 0.0 if binary else 0.01 * std, binary)
