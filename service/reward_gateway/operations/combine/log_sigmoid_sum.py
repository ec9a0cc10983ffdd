"""Combining rewards (Wang et al. 2024): the log-probability that an answer is good in every respect."""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..costs import CHEAP
from ..names import ComponentName
from ..outcome import Outcome, invalid_field
from ..ragged import Ragged
from ..registry import OperationItem, OperationParams, operation
from ..transform.log_sigmoid import SOURCE, log_sigmoid_of


class Params(OperationParams):
    references: dict[ComponentName, float] = Field(
        default_factory=dict, description="Reference reward by name, where an item gives none of that name."
    )


class Item(OperationItem):
    rewards: dict[str, float] | list[float] = Field(
        description="Rewards as the models give them (log-odds), by name or as a list; at least one."
    )
    references: dict[str, float] | list[float] | None = Field(
        None, description="Reference of every reward, by name or by place. If omitted: `params.references`."
    )


@operation("combine", "log_sigmoid_sum", item=Item, params=Params, source=SOURCE, fidelity="second-hand", cost=CHEAP)
def log_sigmoid_sum(columns: Columns, params: Params) -> Outcome:
    """Log-probability that an answer is good in every respect: Σ log σ(reward − reference).

    u = Σ_i log σ(r_i − r_ref_i) = log Π_i σ(r_i − r_ref_i), at most 0: a logical AND, in which no property can
    pay for the failure of another. It takes rewards as the models give them (log-odds): values that went through
    `transform/log_sigmoid` before are added with a plain sum instead.

    Every reward needs its reference, by name (by place, where both are lists) in the item, or in
    `params.references`; one that is missing, or a reference without a reward, is an item error. No rewards: error.
    Details: `probability` = exp(u).
    """
    rewards = Ragged.of_column(columns, "rewards")
    reference, invalid = _match_references(columns, params.references, rewards)
    total = rewards.with_values(log_sigmoid_of(rewards.values - reference)).sum()
    for row in np.flatnonzero(rewards.empty).tolist():
        invalid[row] = invalid_field("there are no rewards to combine", "rewards")
    return Outcome(reward=total, details={"probability": np.exp(total).tolist()}, invalid=invalid)


def _value_names(ragged: Ragged) -> Sequence[str]:
    """The name of each value; its place in its list where it has none."""
    return ragged.names or [str(place) for count in ragged.counts.tolist() for place in range(count)]


def _match_references(
    columns: Columns, defaults: Mapping[str, float], rewards: Ragged
) -> tuple[FloatArray, dict[int, Invalid]]:
    """[total] the reference of each reward, and the rows where one is missing or left over."""
    given_rewards = columns.given("rewards")
    if isinstance(given_rewards, Mapping) and "references" not in columns and given_rewards.keys() <= defaults.keys():
        return np.tile([defaults[name] for name in given_rewards], columns.size), {}
    invalid: dict[int, Invalid] = {}
    names = _value_names(rewards)
    found = np.array([defaults.get(name, np.nan) for name in names], dtype=np.float64)
    if "references" in columns:
        given = Ragged.of_column(columns, "references")
        lookup = dict(
            zip(zip(given.rows.tolist(), _value_names(given), strict=True), given.values.tolist(), strict=True)
        )
        places = list(zip(rewards.rows.tolist(), names, strict=True))
        found = np.array([lookup.get(at, default) for at, default in zip(places, found.tolist(), strict=True)])
        for row, name in lookup.keys() - set(places):
            invalid[row] = invalid_field(f"references names {name!r}, which is not among the rewards", "references")
    for place in np.flatnonzero(np.isnan(found)).tolist():
        message = f"the reward {names[place]!r} has no reference; give it in the item or in params.references"
        invalid[int(rewards.rows[place])] = Invalid("missing_field", message, param="references")
    return found, invalid
