"""Sums of named components, with weights: plain, or behind a gate that has to open first."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import BoolArray, FloatArray, all_finite

from ..columns import Columns
from ..costs import CHEAP
from ..names import ComponentName, SelectedComponent
from ..outcome import Outcome, invalid_field
from ..ragged import Ragged
from ..registry import OperationItem, OperationParams, operation


class Item(OperationItem):
    rewards: dict[str, float] = Field(description="Component rewards by name; each that is asked for has to be there.")


class SumParams(OperationParams):
    weights: dict[SelectedComponent, float] = Field(
        default_factory=dict, description="Component -> weight. Empty: all that the item has, each with weight 1."
    )


class GateParams(OperationParams):
    gate: ComponentName = Field(description="The component that has to reach the threshold.")
    threshold: float = Field(1.0, description="The gate is open from this value on.")
    weights: dict[SelectedComponent, float] = Field(
        default_factory=dict, description="Weights of the components behind the gate. Empty: all others, weight 1."
    )
    count_gate: bool = Field(True, description="Whether an open gate's own value is part of the sum.")


def column(columns: Columns, name: str) -> FloatArray:
    """[n] the component of that name; NaN where an item lacks it."""
    values = columns.table("rewards").get(name)
    return np.full(columns.size, np.nan) if values is None else values


def require(outcome: Outcome, name: str, values: FloatArray) -> None:
    """Give a reason to every row in which a component is missing."""
    if all_finite(values):
        return
    reason = invalid_field(f"the component {name!r} is missing", f"rewards.{name}")
    for row in np.flatnonzero(np.isnan(values)).tolist():
        outcome.invalid.setdefault(row, reason)


def _sum_weighted(
    columns: Columns, weights: dict[str, float], outcome: Outcome, without: str | None = None
) -> FloatArray:
    if weights:
        total = np.zeros(columns.size)
        for name, weight in weights.items():
            values = column(columns, name)
            require(outcome, name, values)
            total = total + weight * values
        return total
    given = columns.given("rewards")
    if isinstance(given, dict):  # in a recipe: every item has the same components
        total = np.zeros(columns.size)
        for name, values in given.items():
            if name != without:
                total = total + values
        return total
    rewards = Ragged.of_column(columns, "rewards")
    if without is None:
        return rewards.sum()
    return rewards.with_values(np.where(_find_named(rewards, without), 0.0, rewards.values)).sum()


def _find_named(rewards: Ragged, name: str) -> BoolArray:
    return np.array([other == name for other in rewards.names or ()], dtype=bool)


@operation("combine", "weighted_sum", item=Item, params=SumParams, cost=CHEAP)
def weighted_sum(columns: Columns, params: SumParams) -> Outcome:
    """Weighted sum of named components.

    R = Σ w_i r_i over the components that have a weight; without weights, over all that the item has.
    A component that has a weight and is missing is an item error, never 0.
    """
    outcome = Outcome()
    outcome.reward = _sum_weighted(columns, params.weights, outcome)
    if not params.weights and isinstance(columns.given("rewards"), list):
        empty = np.flatnonzero(Ragged.of_column(columns, "rewards").empty)
        outcome.invalid = dict.fromkeys(empty.tolist(), invalid_field("there are no rewards to combine", "rewards"))
    return outcome


@operation("combine", "gate", item=Item, params=GateParams, cost=CHEAP)
def gate(columns: Columns, params: GateParams) -> Outcome:
    """A component that has to reach a threshold before the rest counts: format first, then quality.

    open (g >= threshold): R = g + Σ w_i r_i over the others (without g if ``count_gate`` is false);
    closed: R = g. A missing component is an item error whether or not the gate is open. Details: `open`.
    """
    outcome = Outcome()
    own = column(columns, params.gate)
    require(outcome, params.gate, own)
    rest = _sum_weighted(columns, params.weights, outcome, without=params.gate)
    opened = own >= params.threshold
    outcome.reward = np.where(opened, rest + (own if params.count_gate else 0.0), own)
    outcome.details = {"open": opened.tolist()}
    return outcome
