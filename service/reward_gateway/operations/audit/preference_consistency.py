"""SCIR: do the reward models inside one model agree on a pair?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field
from scipy.special import entr, expit

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Self-Consistency of the Internal Reward Models Improves Self-Rewarding Language Models (SCIR)",
    "https://arxiv.org/abs/2502.08922",
)

CLIP = 1e-6
"""Probabilities are kept this far from 0 and 1."""


class Params(OperationParams):
    tau: float = Field(0.0, ge=0, lt=0.5, description="Margin around .5 that every probability must be outside of.")
    beta: float = Field(0.1, description="Scale of the DPO reward, for log_ratios.")
    models: list[str] | None = Field(None, description="Models that must be there; if omitted: those of the item.")


class Item(OperationItem):
    probs: dict[str, float | None] = Field(default_factory=dict, description="Model -> P(first response preferred).")
    log_ratios: dict[str, list[float]] = Field(
        default_factory=dict, description="Model -> [log π − log π_ref] of both responses: its implicit reward."
    )
    orders: dict[str, list[float]] = Field(
        default_factory=dict, description="Judge -> P(first preferred), asked in both orders: they are averaged."
    )


def binary_entropy(p: FloatArray) -> FloatArray:
    """−p log p − (1−p) log(1−p), in nats."""
    return np.asarray(entr(p) + entr(1.0 - p))


@operation(
    "audit",
    "preference_consistency",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    cost=Cost(row=60.0, unit=0.5, square=0.001),
)
def preference_consistency(columns: Columns, params: Params) -> Outcome:
    """Whether several internal reward models agree on a pair, and how much they differ.

    With p_m = P(first ≻ second) of model m: consistent if all p_m > .5 + τ or all p_m < .5 − τ (τ = 0; .5 itself is
    inconsistent). With p̄ the mean and H the binary entropy in nats, `js` = H(p̄) − mean H(p_m) measures inconsistency,
    and `entropy` = H(p̄) = js + mean H(p_m) adds the lack of confidence. Probabilities are kept 1e-6 from 0 and 1.

    That only agreeing pairs are used is the paper's; the form of the penalty is this project's design.

    `probs` gives probabilities; `log_ratios` the two log-ratios of a DPO model, p = σ(β · (first − second)), β = .1;
    `orders` a judge's answers in both orders, averaged. A model without a number, one of `models` that is not there, or
    a probability outside [0, 1]: an item error. One model alone has js 0.

    reward: 1 to keep the pair, 0 to drop it. Details: `consistent`, `keep`, `label` (1 the first, 2 the second, null),
    `mean`, `js`, `entropy`, `probs`.
    """
    items = columns.rows(Item.model_fields)

    def compute_row(i: int) -> Row:
        probs = probabilities(items[i], params)
        values = np.clip(np.array(list(probs.values())), CLIP, 1 - CLIP)
        first, second = bool((values > 0.5 + params.tau).all()), bool((values < 0.5 - params.tau).all())
        mean = float(values.mean())
        entropy = float(binary_entropy(np.array([mean]))[0])
        js = max(0.0, entropy - float(binary_entropy(values).mean())) if len(values) > 1 else 0.0
        keep = first or second
        return Row(
            reward=float(keep),
            details={
                "consistent": keep,
                "keep": keep,
                "label": 1 if first else 2 if second else None,
                "mean": mean,
                "js": js,
                "entropy": entropy,
                "probs": probs,
            },
        )

    return by_row(columns.size, compute_row)


def probabilities(item: Mapping[str, Any], params: Params) -> dict[str, float]:
    """Model -> probability that the first response is preferred.

    Raises:
        ItemError: one is missing, or is no probability.
    """
    probs: dict[str, float] = {}
    for name, value in (item["probs"] or {}).items():
        if value is None:
            raise ItemError(
                f"the model {name!r} gave no probability; its silence is no agreement", param=f"probs.{name}"
            )
        probs[name] = float(value)
    for name, ratios in (item["log_ratios"] or {}).items():
        if len(ratios) != 2:
            raise ItemError(
                f"log_ratios of {name!r} must hold two numbers, one per response", param=f"log_ratios.{name}"
            )
        probs[name] = float(expit(params.beta * (ratios[0] - ratios[1])))
    for name, both in (item["orders"] or {}).items():
        if len(both) != 2:
            raise ItemError(f"orders of {name!r} must hold two probabilities, one an order", param=f"orders.{name}")
        probs[name] = float(both[0] + both[1]) / 2
    missing = [name for name in params.models or [] if name not in probs]
    if missing or not probs:
        raise ItemError(
            f"the model {missing[0]!r} gave no probability" if missing else "give the models' probabilities"
        )
    for name, value in probs.items():
        if not 0.0 <= value <= 1.0:
            raise ItemError(f"the probability of {name!r} must lie between 0 and 1")
    return probs
