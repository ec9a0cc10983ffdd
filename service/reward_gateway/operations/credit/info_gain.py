"""Information gain of a dialogue (Nous): the bits of uncertainty about a task that each turn removes."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, Source, operation

SOURCE = Source("Nous: Dialogue as Discovery", "https://arxiv.org/abs/2510.27410")

Belief = dict[str, FloatArray]


class Item(OperationItem):
    beliefs: list[dict[str, list[float]]] = Field(
        description="Belief before the first turn and after each: attribute to weights ≥ 0; or the prior alone."
    )
    constraints: list[dict[str, list[int]]] | None = Field(
        None, description="With the prior alone: one per turn, attribute to the places of the values that are left."
    )


def entropy(distribution: FloatArray) -> float:
    """Shannon entropy in bits; 0 log 0 is 0."""
    positive = distribution[distribution > 0]
    return max(0.0, -float((positive * np.log2(positive)).sum()))


@operation(
    "credit",
    "info_gain",
    item=Item,
    source=SOURCE,
    fidelity="second-hand",
    returns="vector",
    turn_fields={"beliefs": 1, "constraints": 0},
)
def info_gain(columns: Columns, _: object) -> Outcome:
    """Information gain of every turn, in bits.

    r_t = Σ_i [H(p_i before turn t) − H(p_i after it)] over the attributes i of the task, H(p) = −Σ p log2 p. It
    telescopes: Σ_t r_t = H_0 − H_T. A gain may be negative (a soft update that spreads the belief).

    `beliefs` holds the belief before the first turn and after each: attribute -> weights of its values, normalised
    here. Or give the prior alone and `constraints`, one per turn: attribute -> the places of the values that an answer
    leaves; they act on what is left (a resolved attribute asked again gains 0). An attribute that a later belief does
    not name is unchanged. Where a turn removes all mass of an attribute it contradicts what was known: the
    attribute's belief stays, its gain is 0, and the turn is listed in `inconsistent`.

    Negative weights, an attribute that the prior lacks, or no belief at all are an item error. Details:
    `entropy` before and after the turns, `total`, `inconsistent`.
    """
    beliefs, constraints = columns.objects("beliefs"), columns.objects("constraints")

    def compute_row(i: int) -> Row:
        if not len(beliefs[i]):
            raise ItemError("there is no belief to start from", param="beliefs")
        current = _read_prior(beliefs[i][0])
        narrowed = constraints[i]
        if narrowed is not None and len(beliefs[i]) > 1:
            raise ItemError("give beliefs for every turn, or a prior and constraints, not both")
        entropies, inconsistent = [_total_entropy(current)], []
        for turn, update in enumerate(narrowed if narrowed is not None else beliefs[i][1:], start=1):
            current, contradicted = _update_belief(current, update, hard=narrowed is not None)
            entropies.append(_total_entropy(current))
            if contradicted:
                inconsistent.append(turn)
        gains = [before - after for before, after in pairwise(entropies)]
        return Row(
            rewards=gains,
            details={"entropy": entropies, "total": entropies[0] - entropies[-1], "inconsistent": inconsistent},
            flags=("inconsistent",) if inconsistent else (),
        )

    return by_row(columns.size, compute_row)


def _total_entropy(belief: Belief) -> float:
    return sum(entropy(distribution) for distribution in belief.values())


def _read_weights(name: str, values: Any) -> FloatArray:
    weights = np.asarray(values, dtype=np.float64)
    if weights.ndim != 1 or (weights < 0).any():
        raise ItemError(f"the belief about {name!r} must be a list of weights that are not negative", param="beliefs")
    return weights


def _read_prior(given: Mapping[str, Any]) -> Belief:
    belief = {}
    for name, values in given.items():
        weights = _read_weights(name, values)
        if not weights.any():
            raise ItemError(f"the first belief about {name!r} has no mass", param="beliefs")
        belief[name] = _normalise_weights(weights)
    return belief


def _normalise_weights(weights: FloatArray) -> FloatArray:
    scaled = weights / weights.max()
    return np.asarray(scaled / scaled.sum())


def _update_belief(belief: Belief, update: Mapping[str, Any], *, hard: bool) -> tuple[Belief, bool]:
    """The belief after a turn, and whether the turn contradicted it."""
    after, contradicted = dict(belief), False
    for name, values in update.items():
        if name not in belief:
            raise ItemError(
                f"the attribute {name!r} is not in the first belief", param="constraints" if hard else "beliefs"
            )
        weights = _keep_values(name, belief[name], values) if hard else _read_weights(name, values)
        if weights.any():
            after[name] = _normalise_weights(weights)
        else:
            contradicted = True
    return after, contradicted


def _keep_values(name: str, distribution: FloatArray, places: Any) -> FloatArray:
    mask = np.zeros(len(distribution))
    for place in places:
        if not 0 <= place < len(distribution):
            raise ItemError(
                f"the attribute {name!r} has {len(distribution)} values, and no place {place}", param="constraints"
            )
        mask[place] = 1.0
    return distribution * mask
