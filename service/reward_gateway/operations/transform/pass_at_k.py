"""Rewards for the best of k responses in place of each alone: what a trainer needs to raise pass@k."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import FloatArray

from .. import groups
from ..columns import Columns
from ..groups import EPS, Groups
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation

Form = Literal["loo_minus_one", "loo", "none", "best_second"]

SOURCE = Source(
    "Pass@K Policy Optimization: Solving Harder Reinforcement Learning Problems", "https://arxiv.org/abs/2505.15201"
)


class Params(OperationParams):
    k: int | None = Field(
        None, ge=1, description="Responses of which the best counts. Required, except with `best_second`."
    )
    form: Form = Field("loo_minus_one", description="What is subtracted: see the page.")
    scale: Literal["sum", "mean"] = Field(
        "sum", description="mean: multiplied by the size of the group, for trainers that average over samples."
    )
    scale_std: bool = Field(
        False, description="With `best_second`: divided by the sample standard deviation of the group plus 1e-6."
    )

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        if self.k is None and self.form != "best_second":
            raise ValueError(f"k is missing: {self.form} needs it")
        if self.scale_std and self.form != "best_second":
            raise ValueError("scale_std belongs to form best_second")
        return self


class Item(OperationItem):
    reward: float = Field(description="Reward of the response alone, for example 1 if it is right, else 0.")
    group: str = Field(description="Items of one group, the responses to one prompt, are compared.")


def share_led(n: int, k: int) -> FloatArray:
    """[n] share of the subsets of k of n members in which each is the highest, the lowest member first.

    C(i - 1, k - 1) / C(n, k) for i = 1..n, as products of ratios: binomials themselves overflow.
    """
    places = np.arange(n, 1, -1.0)
    ratios = np.concatenate([[k / n], np.maximum(places - k, 0.0) / (places - 1.0)])
    return np.asarray(np.cumprod(ratios)[::-1], dtype=np.float64)


def best_of_k(ordered: FloatArray, k: int) -> float:
    """Mean of the highest of k members over all subsets: pass@k of rewards 0 and 1.

    Args:
        ordered: [n] rewards, ascending, n at least k.
    """
    return float(share_led(len(ordered), k) @ ordered)


def sums_with_member(ordered: FloatArray, k: int) -> FloatArray:
    """S_i: the highest of each subset of k that i is in, summed, over the number of all subsets. [n] -> [n].

    i leads in C(i - 1, k - 1) subsets; a higher j leads in C(j - 2, k - 2) of those with i.
    """
    n = len(ordered)
    led = share_led(n, k) * ordered
    if k == 1:
        return led
    pairs = share_led(n - 1, k - 1) * (k / n)
    above = np.cumsum((pairs * ordered[1:])[::-1])[::-1]
    return np.asarray(led + np.append(above, 0.0), dtype=np.float64)


def sums_of_gains(ordered: FloatArray, k: int) -> FloatArray:
    """What i adds to the highest of the k - 1 others, over all subsets with i, over the number of all. [n] -> [n].

    i adds something only where it leads, and there its distance to the next lower one: as a running sum over steps
    between neighbours, none of which is negative, this has no rounding below 0.
    """
    if k == 1:
        return ordered / len(ordered)
    steps = np.diff(ordered, prepend=ordered[:1])
    return np.asarray(np.cumsum(steps * share_led(len(ordered), k)), dtype=np.float64)


def shape(ordered: FloatArray, params: Params) -> FloatArray:
    """[n] rewards of one group, ascending, n at least :func:`fewest` -> [n] shaped."""
    n, k = len(ordered), params.k
    if params.form == "best_second" or k is None:
        shaped = np.zeros(n)
        shaped[-1] = ordered[-1] - ordered[-2] if n > 1 else 0.0
    elif params.form == "loo_minus_one":
        shaped = sums_of_gains(ordered, k)
    else:
        shaped = sums_with_member(ordered, k)
        if params.form == "loo":
            # The mean over subsets without i is (rho - S_i) n / (n - k); each of their members has k / (n - 1) of it.
            shaped = shaped - k / (n - 1) * n / (n - k) * (best_of_k(ordered, k) - shaped)
    return shaped * n if params.scale == "mean" else shaped


def fewest(params: Params) -> int:
    """Members that a group needs."""
    return (params.k or 1) + (params.form == "loo")


@operation(
    "transform",
    "pass_at_k",
    item=Item,
    params=Params,
    grouped=True,
    compares="group",
    source=SOURCE,
    fidelity="second-hand",
)
def pass_at_k(columns: Columns, params: Params) -> Outcome:
    """Reward each response for what it does for the best of k (PKPO), so that training raises pass@k.

    S_i = Σ over the subsets I of k of the group's n members, with i in I, of max r over I, divided by C(n, k).

    | form | r' |
    |---|---|
    | loo_minus_one | Σ over I with i of (max over I − max over I without i) / C(n, k): PKPO's choice |
    | loo | S_i − the mean of the others' S, computed without i |
    | none | S_i |
    | best_second | the best gets its distance to the second best, all others 0 (verl's `grpo_passk`) |

    All are sums over the sorted group, exact, and no subset is listed. With rewards 0 and 1, of which c are 1, `none`
    gives k/n for a right response and (k/n) ρ(n − 1, c, k − 1) for a wrong one. With k = 1, `loo_minus_one` and `none`
    give r/n. `loo` is not 0 where all are equal: r k/n − r k/(n − 1).
    `scale: mean` multiplies by n. `scale_std` divides by the sample standard deviation + 1e-6, as verl does unless told
    otherwise.

    Details: `estimate`, ρ: the mean of max r over all subsets, pass@k of rewards 0 and 1 (null without k).
    A group of fewer than k members (`loo`: k + 1) is an error of its items; an item that could not be scored is no
    member. A group of one has nothing to compare, which `single: true` in the details says: `best_second` gives 0,
    k = 1 the reward. A recipe refuses it as `group_of_one`; with `group: {single: raw}` or `{single: zero}` it scores
    one where a single operation does.
    """
    values, names = columns.floats("reward"), columns.objects("group")
    members = Groups.of(names)
    outcome = Outcome()
    outcome.invalid = {row: invalid_field("group: missing", "group") for row, name in enumerate(names) if name is None}
    estimates: list[float | None] = [None] * columns.size
    rewards = np.full(columns.size, np.nan)
    spreads = groups.measure(values, members).std + EPS if params.scale_std else np.ones(members.count)
    for rows in members.ascending(values):
        n, number = len(rows), int(members.index[rows[0]])
        if n < fewest(params):
            message = f"its group has {n} scored members, and {fewest(params)} are needed: send more, or lower k"
            outcome.invalid |= {int(row): invalid_field(message, "group") for row in rows if names[row] is not None}
            continue
        ordered = values[rows]
        shaped = shape(ordered, params)
        rewards[rows] = shaped / spreads[number] if n > 1 else shaped
        estimate = None if params.k is None else best_of_k(ordered, params.k)
        for row in rows.tolist():
            estimates[row] = estimate
    rewards[list(outcome.invalid)] = np.nan
    outcome.reward = rewards
    outcome.details = {"estimate": estimates}
    return outcome
