"""Joins what two versions of a recipe made of the samples of one request, and takes it apart again."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from reward_gateway.recipes.group_stats import UNNAMED, describe_groups
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import ComponentScores, FloatArray, GroupStats, Invalid, Scored, Usage

from .plan_scorer import PlanScores

T = TypeVar("T")

OTHER_VERSION = "recipe_version"
"""What decided that a component of one version was not computed for a sample: the other version scored it."""


def join_scores(plan: Plan, parts: Sequence[PlanScores], size: int) -> Scored:
    """The scores of a request, in its order.

    Args:
        plan: the recipe that was asked for.
        parts: one where one version scored all samples, else both; every row is in one of them.
    """
    scored = parts[0].scored if len(parts) == 1 else _merge(parts, size)
    scored.recipe = plan.name
    if plan.canary is not None:
        versions = [scored.version] * size
        for part in parts:
            for row in part.rows or ():
                versions[row] = part.plan.version
        scored.versions = versions
    return scored


def describe_parts(parts: Sequence[PlanScores], scored: Scored) -> dict[str, GroupStats] | None:
    """What the groups of a request are like, in the order in which they appear; None: it compares no samples."""
    names: list[str] = [UNNAMED] * len(scored.reward)
    found: dict[str, GroupStats] = {}
    for part in parts:
        if part.groups is None:
            return None
        rows = range(len(names)) if part.rows is None else part.rows
        own = [UNNAMED] * len(names)
        for row, name in zip(rows, part.groups, strict=True):
            own[row] = names[row] = name
        found |= describe_groups(own, scored, part.plan.group.keep)
    return {name: found[name] for name in dict.fromkeys(names) if name in found}


def select_part(part: PlanScores, scored: Scored) -> Scored:
    """What a request answers for the samples of one part, under the name of the recipe that scored them."""
    if part.rows is None:
        same = scored.recipe == part.plan.name
        return scored if same else replace(scored, recipe=part.plan.name, version=part.plan.version)
    rows = list(part.rows)
    place_of = {row: place for place, row in enumerate(rows)}
    own = {component.name for component in part.plan.components}
    return Scored(
        part.plan.name,
        part.plan.version,
        scored.reward[rows],
        {name: _select_component(scores, rows) for name, scores in scored.components.items() if name in own},
        invalid={place_of[row]: reason for row, reason in scored.invalid.items() if row in place_of},
        flags={place_of[row]: names for row, names in scored.flags.items() if row in place_of},
        usage=part.scored.usage,
        timing_ms=part.scored.timing_ms,
    )


def _select_component(scores: ComponentScores, rows: list[int]) -> ComponentScores:
    """What observers are told of a component."""
    verdicts = scores.verdicts
    return ComponentScores(
        scores.raw[rows],
        scores.value[rows],
        verdicts=None if verdicts is None else {name: marks[rows] for name, marks in verdicts.items()},
        skipped=None if scores.skipped is None else [scores.skipped[row] for row in rows],
    )


def _merge(parts: Sequence[PlanScores], size: int) -> Scored:
    first = parts[0].scored
    names = dict.fromkeys(name for part in parts for name in part.scored.components)
    usage, timing = Usage(samples=size), dict[str, float]()
    invalid: dict[int, Invalid] = {}
    flags: dict[int, tuple[str, ...]] = {}
    for part in parts:
        own, rows = part.scored, part.rows or ()
        usage.cache_hits += own.usage.cache_hits
        usage.cache_misses += own.usage.cache_misses
        usage.model_calls += own.usage.model_calls
        usage.skipped += own.usage.skipped
        for phase, spent_ms in own.timing_ms.items():  # they were scored at the same time
            timing[phase] = max(timing.get(phase, 0.0), spent_ms)
        invalid |= {rows[row]: reason for row, reason in own.invalid.items()}
        flags |= {rows[row]: found for row, found in own.flags.items()}
    has_raw = first.reward_raw is not None
    return Scored(
        recipe=first.recipe,
        version=first.version,
        reward=_spread_numbers(parts, size, lambda own: own.reward),
        components={name: _merge_component(name, parts, size) for name in names},
        rewards=_spread(parts, size, None, lambda own: own.rewards) if first.rewards is not None else None,
        reward_raw=_spread_numbers(parts, size, lambda own: own.reward_raw) if has_raw else None,
        answer=first.answer,
        invalid=dict(sorted(invalid.items())),
        flags=flags,
        usage=usage,
        timing_ms=timing,
    )


def _merge_component(name: str, parts: Sequence[PlanScores], size: int) -> ComponentScores:
    having = [part for part in parts if name in part.scored.components]

    def own(scored: Scored) -> ComponentScores | None:
        return scored.components.get(name)

    def has(read: Callable[[ComponentScores], Any]) -> bool:
        return any(read(part.scored.components[name]) is not None for part in having)

    def spread(read: Callable[[ComponentScores], Sequence[T] | None], default: T) -> list[T]:
        return _spread(parts, size, default, lambda scored: None if (of := own(scored)) is None else read(of))

    def spread_numbers(read: Callable[[ComponentScores], FloatArray | None]) -> FloatArray:
        return _spread_numbers(parts, size, lambda scored: None if (of := own(scored)) is None else read(of))

    first = having[0].scored.components[name]
    verdict_names = dict.fromkeys(verdict for part in having for verdict in part.scored.components[name].verdicts or ())
    whole = ComponentScores(
        spread_numbers(lambda of: of.raw),
        spread_numbers(lambda of: of.value),
        first.model,
        first.model_version,
        cached=np.array(spread(lambda of: None if of.cached is None else of.cached.tolist(), False)),
        vectors=spread(lambda of: of.vectors, None) if has(lambda of: of.vectors) else None,
        judge_answers=spread(lambda of: of.judge_answers, None) if has(lambda of: of.judge_answers) else None,
        limits=spread(lambda of: of.limits, None) if has(lambda of: of.limits) else None,
    )
    if verdict_names:
        whole.verdicts = {
            verdict: np.nan_to_num(spread_numbers(lambda of, name=verdict: (of.verdicts or {}).get(name)))  # type: ignore[misc]
            for verdict in verdict_names
        }
    if len(having) < len(parts) or has(lambda of: of.skipped):
        skipped: list[str | None] = spread(lambda of: of.skipped, None)
        for part in parts:
            if name not in part.scored.components:
                for row in part.rows or ():
                    skipped[row] = OTHER_VERSION
        whole.skipped = skipped
    origins = [_origin_of(part.scored.components[name]) for part in having]
    if has(lambda of: of.models) or any(origin != origins[0] for origin in origins):
        whole.models = _spread(parts, size, (None, None), lambda scored: _list_origins(own(scored)))
    return whole


def _origin_of(scores: ComponentScores) -> tuple[str | None, str | None]:
    return scores.model, scores.model_version


def _list_origins(scores: ComponentScores | None) -> list[tuple[str | None, str | None]] | None:
    return None if scores is None else [scores.origin_of(row) for row in range(len(scores.raw))]


def _spread(
    parts: Sequence[PlanScores], size: int, default: T, read: Callable[[Scored], Sequence[T] | None]
) -> list[T]:
    """A column of the request, of that of each part; ``default`` where a part has none."""
    whole = [default] * size
    for part in parts:
        if (column := read(part.scored)) is not None:
            for row, value in zip(part.rows or (), column, strict=True):
                whole[row] = value
    return whole


def _spread_numbers(parts: Sequence[PlanScores], size: int, read: Callable[[Scored], FloatArray | None]) -> FloatArray:
    """As :func:`_spread`, of numbers; NaN where a part has none."""
    whole = np.full(size, np.nan)
    for part in parts:
        if (column := read(part.scored)) is not None:
            whole[list(part.rows or ())] = column
    return whole
