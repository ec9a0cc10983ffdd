"""What each step of a recipe made of every sample: noted while the recipe is evaluated, where somebody asks.

Nothing is computed a second time: the numbers are those of which the reward was made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from reward_gateway.sample import FloatArray, Scored

from .column_binder import Value
from .combined_parts import find_parts
from .outcome_rows import sum_vectors
from .plan import Plan


class TracedStep(NamedTuple):
    """A transform, and [n] the values of its component after it; of vectors their sums."""

    operation: str
    value: FloatArray


@dataclass(slots=True)
class Trace:
    """The steps of one evaluation.

    Attributes:
        transforms: component -> its transforms, in their order; where a key of the sample chooses among several
            scorers, those of each, with NaN in the rows of the others.
        combined: [n] what the combiner made of the components, before anything is added to it.
        details: what the combiner told of each sample beside that, by name.
        zeroed: rows whose reward a guard set to 0.
    """

    transforms: dict[str, list[TracedStep]] = field(default_factory=dict)
    combined: FloatArray | None = None
    details: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    zeroed: frozenset[int] = frozenset()

    def begin(self) -> None:
        """Forget what was noted: a recipe that keeps state may be evaluated again."""
        self.transforms.clear()
        self.combined, self.details, self.zeroed = None, {}, frozenset()

    def note_transform(self, component: str, operation: str, value: Value) -> None:
        """Note the values of a component after one of its transforms."""
        noted = TracedStep(operation, np.array(sum_vectors(value), dtype=np.float64))
        self.transforms.setdefault(component, []).append(noted)


class Bar(NamedTuple):
    """What one step adds to a sample's reward.

    Attributes:
        kind: ``component`` (its value times its weight, or its part in what the combiner made), ``combine`` (the rest
            of that), ``add`` (a component that is added to it), ``guard``, ``group`` or ``credit``.
        name: of the component or the operation.
        weight: of a component, where the combiner has weights; else None.
        how: how the change comes about, in a few words.
    """

    kind: str
    name: str
    change: float
    weight: float | None = None
    how: str = ""


TINY = 1e-12
"""A rest below this share of what was added is one of rounding."""


def explain_reward(plan: Plan, scored: Scored, trace: Trace, row: int) -> list[Bar]:
    """The steps from 0 to the reward of a sample, whose changes add up to it; none for a sample without a reward.

    Components are steps of their own where the recipe adds them up, with or without weights, and where the combiner
    has a part for each (:mod:`.combined_parts`); another combiner is one step, which says what it was made of.
    """
    reward = float(scored.reward[row])
    if row in scored.invalid or np.isnan(reward):
        return []
    bars = _explain_combination(plan, scored, trace, row)
    total = sum(bar.change for bar in bars)
    if row in trace.zeroed:
        guards = [guard.guard.name for guard in plan.guards if guard.guard.name in scored.flags.get(row, ())]
        bars.append(Bar("guard", ", ".join(guards), -total))
        total = 0.0
    end = reward if scored.reward_raw is None else float(scored.reward_raw[row])
    if not _is_rounding(end - total, bars):
        bars.append(Bar("credit" if plan.credit is not None else "combine", _name_end(plan), end - total))
    if scored.reward_raw is not None and plan.grouped:
        bars.append(Bar("group", _name_group(plan), reward - end))
    return bars


def _explain_combination(plan: Plan, scored: Scored, trace: Trace, row: int) -> list[Bar]:
    """The steps up to the combined reward, before guards and groups."""
    weights = _find_weights(plan)
    values = {name: float(scored.components[name].value[row]) for name in (*plan.over, *plan.add)}
    bars = []
    if weights is not None:
        for name, weight in weights.items():
            bars.append(Bar("component", name, values[name] * weight, weight if plan.combine is not None else None))
    elif plan.combine is not None:
        details = {name: column[row] for name, column in trace.details.items()}
        parts = find_parts(plan.combine, {name: values[name] for name in plan.over}, details)
        bars = [Bar("component", part.name, part.change, how=part.how) for part in parts]
    if trace.combined is not None and plan.combine is not None:
        rest = float(trace.combined[row]) - sum(bar.change for bar in bars)
        if not _is_rounding(rest, bars):
            how = "" if bars else _describe_inputs(plan, values)
            bars.append(Bar("combine", plan.combine.operation.name, rest, how=how))
    return bars + [Bar("add", name, values[name]) for name in plan.add]


def _describe_inputs(plan: Plan, values: Mapping[str, float]) -> str:
    return "of " + ", ".join(f"{name} {values[name]:.4g}" for name in plan.over)


def _find_weights(plan: Plan) -> dict[str, float] | None:
    """Component -> weight, of a recipe that adds its components up; None of another."""
    if plan.combine is None:
        return dict.fromkeys(plan.over[:1], 1.0)
    if plan.combine.operation.name != "weighted_sum":
        return None
    weights: dict[str, float] = dict(plan.combine.params).get("weights") or {}
    return weights or dict.fromkeys(plan.over, 1.0)


def _is_rounding(rest: float, bars: list[Bar]) -> bool:
    return abs(rest) <= TINY * (1.0 + sum(abs(bar.change) for bar in bars))


def _name_group(plan: Plan) -> str:
    group = plan.group
    if group.normalize != "none" or not group.compares:
        return group.normalize if group.compares else "group"
    baseline, scale = group.ways
    return f"baseline {baseline}, scale {scale}"


def _name_end(plan: Plan) -> str:
    step = plan.credit or plan.combine
    return step.operation.name if step is not None else ""
