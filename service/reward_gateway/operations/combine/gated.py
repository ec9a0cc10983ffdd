"""Objectives weighed by a gate: a network says of each prompt which of them count (ArmoRM)."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..names import ComponentName, SelectedComponent
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation
from .weighted_sum import column, require

SOURCE = Source(
    "Interpretable Preferences via Multi-Objective Reward Modeling and Mixture-of-Experts (ArmoRM)",
    "https://arxiv.org/abs/2406.12845",
)


class Params(OperationParams):
    gates: dict[SelectedComponent, ComponentName] = Field(
        default_factory=dict,
        description="Objective -> the component that is its gate. Empty: the items have `gate`.",
    )
    form: Literal["softmax", "given"] = Field(
        "softmax", description="softmax: gates are logits. given: they are the weights themselves, 0 or above."
    )
    temperature: float = Field(10.0, gt=0, description="Of the softmax; ArmoRM's is 10.")
    scale: float = Field(1.0, description="Multiplies all weights (ArmoRM's logit_scale).")
    verbosity: ComponentName | None = Field(
        None, description="The objective that is subtracted from the others, so that length does not pay."
    )
    penalties: dict[ComponentName, float] = Field(
        default_factory=dict, description="Objective -> share of `verbosity` that is subtracted from it; else 0."
    )

    @model_validator(mode="after")
    def _check_penalties(self) -> Self:
        if self.penalties and self.verbosity is None:
            raise ValueError("penalties: say with `verbosity` what is subtracted")
        unknown = self.penalties.keys() - self.gates.keys() - {self.verbosity}
        if self.gates and unknown:
            raise ValueError(f"penalties: {', '.join(sorted(map(str, unknown)))}: has no gate")
        return self


class Item(OperationItem):
    rewards: dict[str, float] = Field(description="Objectives by name, and the gates that `params.gates` names.")
    gate: dict[str, float] | None = Field(
        None, description="Gate of each objective by the objective's name, in place of `params.gates`."
    )


@operation("combine", "gated", item=Item, params=Params, source=SOURCE, fidelity="second-hand", cost=Cost(unit=0.6))
def gated(columns: Columns, params: Params) -> Outcome:
    """Objectives weighed by a gating network's output: R = Σ_i g_i r'_i.

    g = scale · softmax(gates / T), T = 10, over the objectives: weights of 0 and above that sum to `scale`, so that R
    lies between the least and the greatest objective. r'_i = r_i − p_i · r_verbosity, p_i from `penalties`; of
    `verbosity` itself p = 1, unless it says otherwise, which leaves 0 of it. Without `verbosity`, r' = r.

    ArmoRM reads its gates from the state of its model at the end of the prompt, so that the weights do not depend on
    the response; it finds p_i as the least of 24 steps from 0 to .95 with which an objective's rank correlation with
    verbosity is .03 at most (1 if none does). A converted ArmoRM (`reward-gateway models known armorm`) does all of
    this itself, with its own numbers; this is for objectives and gates of your own. `form: given` takes weights as they
    are, such as URM's, which need not sum to 1. In a recipe every objective and every gate is a component: of a model
    with several numbers, `{score: MODEL, dimension: NAME}`, and the model is asked once for all of them.

    An objective without its gate, a gate without its objective, a negative weight with `form: given`, no gates: an item
    error. Details: `weights`, `corrected` (r'), each by objective.
    """
    outcome = Outcome()
    names, logits = _read_gates(columns, params, outcome)
    rewards = {name: column(columns, name) for name in names}
    for name in names:
        require(outcome, name, np.where(np.isnan(logits[name]), 0.0, rewards[name]))
    if not params.gates:
        _refuse_ungated(columns, params, logits, outcome)
    if not names:
        outcome.reward = np.full(columns.size, np.nan)
        return outcome
    corrected = np.stack([_correct(columns, params, name, rewards[name], outcome) for name in names], axis=1)
    weights = _weigh(np.stack([logits[name] for name in names], axis=1), params)
    if params.form == "given":
        negative = np.flatnonzero((weights < 0).any(axis=1)).tolist()
        reason = invalid_field("a weight is negative: give weights, or logits with form: softmax", "gate")
        outcome.invalid = {**dict.fromkeys(negative, reason), **outcome.invalid}
    present = ~np.isnan(weights)
    outcome.reward = np.where(present, weights * corrected, 0.0).sum(axis=1)
    outcome.details = {
        "weights": _by_name(names, weights),
        "corrected": _by_name(names, np.where(present, corrected, np.nan)),
    }
    return outcome


def _read_gates(columns: Columns, params: Params, outcome: Outcome) -> tuple[list[str], dict[str, FloatArray]]:
    """The objectives, and [n] the gate of each; NaN where an item has none."""
    if params.gates:
        logits = {name: column(columns, gate) for name, gate in params.gates.items()}
        for name, gate in params.gates.items():
            require(outcome, gate, logits[name])
        return list(params.gates), logits
    logits = columns.table("gate")
    given = np.zeros(columns.size, dtype=bool)
    for values in logits.values():
        given |= ~np.isnan(values)
    reason = invalid_field("there are no gates: give them, or name them in params.gates", "gate")
    outcome.invalid.update(dict.fromkeys(np.flatnonzero(~given).tolist(), reason))
    return list(logits), logits


def _refuse_ungated(columns: Columns, params: Params, logits: dict[str, FloatArray], outcome: Outcome) -> None:
    """Give a reason to every row with an objective that has no gate; `verbosity` needs none."""
    for name, values in columns.table("rewards").items():
        gate = logits.get(name, np.full(columns.size, np.nan))
        if name != params.verbosity:
            reason = invalid_field(f"the objective {name!r} has no gate", f"gate.{name}")
            for row in np.flatnonzero(~np.isnan(values) & np.isnan(gate)).tolist():
                outcome.invalid.setdefault(row, reason)


def _correct(columns: Columns, params: Params, name: str, values: FloatArray, outcome: Outcome) -> FloatArray:
    """[n] an objective less its share of verbosity."""
    if params.verbosity is None:
        return values
    share = params.penalties.get(name, 1.0 if name == params.verbosity else 0.0)
    if not share:
        return values
    verbosity = column(columns, params.verbosity)
    require(outcome, params.verbosity, verbosity)
    return values - share * verbosity


def _weigh(logits: FloatArray, params: Params) -> FloatArray:
    """[n, K] weights; NaN where an item has no such gate."""
    if params.form == "given":
        return params.scale * logits
    scaled = logits / params.temperature
    exponents = np.where(np.isnan(scaled), -np.inf, scaled)
    highest = exponents.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):
        shares = np.exp(exponents - np.where(np.isfinite(highest), highest, 0.0))
    total = shares.sum(axis=1, keepdims=True)
    return np.where(np.isnan(logits), np.nan, params.scale * shares / np.where(total > 0, total, 1.0))


def _by_name(names: list[str], values: FloatArray) -> list[dict[str, float]]:
    return [
        {name: value for name, value in zip(names, row, strict=True) if not np.isnan(value)} for row in values.tolist()
    ]
