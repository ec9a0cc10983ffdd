"""Rewards as numpy columns over the samples of one request; NaN and a reason for samples without a reward."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from reward_gateway.sample import BoolArray, FloatArray

from .wire import GroupStats, SampleError, ScoreAnswer, WireComponent, WireResult


@dataclass(frozen=True, slots=True)
class Component:
    """One component of the reward over the samples.

    Attributes:
        raw, value: [n] float64, before and after the component's transforms; NaN where it has no number.
        model, model_version: who said it; None for a rule.
        cached: [n] bool, answered from the cache.
        vectors: a list per sample where the component gives a number per step, turn or token.
        skipped: what decided that the component was not computed, None where it was; None: it was for every sample.
        models: of each sample who said it, where a key of the sample chooses the scorer; None: ``model`` for all.
    """

    raw: FloatArray
    value: FloatArray
    model: str | None
    model_version: str | None
    cached: BoolArray
    vectors: Sequence[list[Any] | None] | None = None
    skipped: Sequence[str | None] | None = None
    models: Sequence[str | None] | None = None


@dataclass(frozen=True, slots=True)
class SampleScore:
    """One sample's reward: NaN and a reason, or a number; and its components' values, NaN where there is none.

    ``reward_raw`` is the reward before the comparison with other samples, None where the recipe compares none.
    ``answered`` is the one of the two that the recipe has clients with room for one number take.
    """

    reward: float
    valid: bool
    error: SampleError | None
    flags: tuple[str, ...]
    vector: list[Any] | None
    components: dict[str, float] = field(default_factory=dict)
    reward_raw: float | None = None
    takes_raw: bool = False

    @property
    def answered(self) -> float:
        """The reward, or the one before the comparison, as the recipe's ``group.answer`` says."""
        raw = self.reward_raw
        return raw if self.takes_raw and raw is not None and not math.isnan(raw) else self.reward


@dataclass(frozen=True, slots=True)
class Scores:
    """The rewards of n samples, in the order in which they were asked for.

    Attributes:
        rewards: [n] float64; NaN where the sample is invalid (or ``default_reward``, if that was asked for).
        valid: [n] bool.
        errors: [n] reasons, None where valid.
        vectors: [n] lists where the recipe ends in credit assignment, else None.
        components: by name; empty with ``explain=False``.
        rewards_raw: [n] float64, the rewards before the comparison with other samples; None where the recipe compares
            none.
        takes_raw: the recipe has clients with room for one number take these.
        versions: [n] the version of the recipe that scored each sample, where the recipe has a canary; else None.
        groups: what each group of the request is like, by name, where the recipe compares samples; else None.
        flags: [n] names that guards and models raised.
        usage: samples, cache_hits, cache_misses, model_calls, skipped.
        timing_ms: where the server's time went.
    """

    reward: str
    recipe_version: str
    ids: list[str]
    rewards: FloatArray
    valid: BoolArray
    errors: list[SampleError | None]
    vectors: list[list[Any] | None] | None
    components: dict[str, Component]
    flags: list[tuple[str, ...]]
    usage: dict[str, int]
    timing_ms: dict[str, float]
    rewards_raw: FloatArray | None = None
    takes_raw: bool = False
    groups: dict[str, GroupStats] | None = None
    versions: list[str | None] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> SampleScore:
        vector = None if self.vectors is None else self.vectors[i]
        values = {name: float(component.value[i]) for name, component in self.components.items()}
        return SampleScore(
            float(self.rewards[i]),
            bool(self.valid[i]),
            self.errors[i],
            self.flags[i],
            vector,
            values,
            None if self.rewards_raw is None else float(self.rewards_raw[i]),
            self.takes_raw,
        )

    @classmethod
    def of(cls, answer: ScoreAnswer) -> Self:
        """The columns of an answer."""
        results = answer.results
        names = next((result.components for result in results if result.components), {})
        vectors = [result.rewards for result in results]
        return cls(
            reward=answer.reward,
            recipe_version=answer.recipe_version,
            ids=[result.id for result in results],
            rewards=_to_column([result.reward for result in results]),
            valid=np.array([result.valid for result in results], dtype=bool),
            errors=[result.error for result in results],
            vectors=vectors if any(vector is not None for vector in vectors) else None,
            components={
                name: _to_component([result.components.get(name, _NONE) for result in results]) for name in names
            },
            flags=[tuple(result.flags) for result in results],
            usage=answer.usage,
            timing_ms=answer.timing_ms,
            rewards_raw=None if answer.answer is None else _to_column([result.reward_raw for result in results]),
            takes_raw=answer.answer == "combined",
            groups=answer.groups,
            versions=_list_versions(results),
        )


def _to_column(values: Sequence[float | None]) -> FloatArray:
    return np.array(values, dtype=np.float64)  # numpy reads None as NaN


_NONE = WireComponent()
"""Of a sample that nobody could score: one of a job that was cancelled has no components."""


def _to_component(rows: Sequence[WireComponent]) -> Component:
    vectors = [row.vector for row in rows]
    skipped = [row.skipped for row in rows]
    computed = [row for row in rows if row is not _NONE and row.skipped is None]
    named = next(iter(computed), _NONE)
    several = len({row.model for row in computed}) > 1
    return Component(
        _to_column([row.raw for row in rows]),
        _to_column([row.value for row in rows]),
        named.model,
        named.model_version,
        np.array([row.cached for row in rows], dtype=bool),
        vectors if any(vector is not None for vector in vectors) else None,
        skipped if any(by is not None for by in skipped) else None,
        [row.model for row in rows] if several else None,
    )


def _list_versions(results: Sequence[WireResult]) -> list[str | None] | None:
    versions = [result.recipe_version for result in results]
    return versions if any(version is not None for version in versions) else None
