"""TurningPoint-GRPO: denoising steps that turn the trend answer for all that follows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reward_gateway.sample import BoolArray, FloatArray, Invalid

from ..columns import Columns
from ..groups import Groups
from ..numerics import standardized_within
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Alleviating Sparse Rewards by Modeling Step-Wise and Long-Term Sampling Effects in Flow-Based GRPO "
    "(TurningPoint-GRPO)",
    "https://github.com/YunzeTong/TurningPoint-GRPO",
)


class Params(OperationParams):
    eta: float = Field(1.0, description="Scale of the reward at a turning point.")
    balanced: bool = Field(False, description="Keep as many turning points of either sign over the request.")


class Item(OperationItem):
    step_rewards: list[float] = Field(description="R_0 .. R_n: rewards after 0 .. n stochastic steps.")
    final: float = Field(description="R_sde, the reward of the fully stochastic roll-out.")
    group: str | None = Field(None, description="The prompt; items without one belong together.")


def turning_points(rewards: FloatArray, final: FloatArray) -> BoolArray:
    """[m, n] where a trend turns, for m roll-outs of R_0 .. R_n ([m, n + 1]) with their R_sde ([m])."""
    trend = np.sign(np.diff(rewards, axis=1))
    ahead = np.sign(final[:, None] - rewards[:, 1:])
    towards = trend * np.sign(final - rewards[:, 0])[:, None]
    turns = trend * ahead > 0
    turns[:, 1:] &= (towards[:, :-1] < 0) & (towards[:, 1:] > 0)
    return turns


def balance(turns: Sequence[BoolArray], gaps: FloatArray) -> None:
    """Keep, of the turning points of either sign of Δ, as many as the rarer sign has, by |Δ|; in place.

    Nothing is dropped where one sign is absent. Of equal |Δ| the earlier stays.
    """
    places = [(i, t) for i, row in enumerate(turns) for t in np.flatnonzero(row).tolist()]
    signs = np.sign([gaps[i] for i, _ in places])
    fewest = min(int((signs > 0).sum()), int((signs < 0).sum()))
    if fewest == 0:
        return
    for sign in (1, -1):
        ranked = sorted((k for k in range(len(places)) if signs[k] == sign), key=lambda k: -abs(gaps[places[k][0]]))
        for k in ranked[fewest:]:
            i, t = places[k]
            turns[i][t] = False


def advantages(steps: Sequence[FloatArray], groups: Sequence[str | None]) -> list[FloatArray]:
    """Step rewards z-scored over their group at the same step (population std; no spread gives 0)."""
    keys = [(group, t) for group, row in zip(groups, steps, strict=True) for t in range(len(row))]
    scores = standardized_within(np.concatenate([*steps, np.empty(0)]), Groups.of(keys))
    return np.split(scores, np.cumsum([len(row) for row in steps]))[: len(steps)]


@operation(
    "credit",
    "turning_point",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    grouped=lambda params: params.balanced,
    compares=lambda params: "request" if params.balanced else None,
)
def turning_point(columns: Columns, params: Params) -> Outcome:
    """A reward a denoising step: its own gain, or all that is still to come where it turns the trend.

    R_0 is the reward of the deterministic roll-out, R_t of one with t stochastic steps, R_sde (`final`) of the fully
    stochastic one. d_t = R_t − R_{t−1}, Δ = R_sde − R_0, s_t = sign(d_t) · sign(Δ). Step t ≥ 2 is a turning point if
    s_{t−1} < 0, s_t > 0 and sign(d_t) · sign(R_sde − R_t) > 0; step 1 if sign(d_1) · sign(R_sde − R_1) > 0. The reward
    is η (R_sde − R_{t−1}) at a turning point, η = 1, else d_t.

    `balanced` keeps, over all items of the request, the min(#pos, #neg) turning points of greatest |Δ| of each sign of
    Δ, and skips where one sign is absent.

    Δ = 0 has no turning point; the last step never turns if R_n = R_sde; R_0 alone has no rewards; no R_0 is the item's
    error. Details: `advantage` (z-score over the group at the same step, population), `turning_points` (steps, from 1),
    `delta` = Δ.
    """
    given, final = columns.vectors("step_rewards"), columns.floats("final")
    invalid: dict[int, Invalid] = {}
    by_length: dict[int, list[int]] = {}
    for i, row in enumerate(given):
        if row is None or len(row) == 0 or not np.isfinite(row).all() or not np.isfinite(final[i]):
            invalid[i] = invalid_field("step_rewards must hold R_0 and final R_sde, all finite numbers", "step_rewards")
        else:
            by_length.setdefault(len(row), []).append(i)
    kept = sorted(i for rows in by_length.values() for i in rows)
    place = {i: k for k, i in enumerate(kept)}
    rows_of = [np.asarray(given[i], dtype=np.float64) for i in kept]
    turns: list[BoolArray] = [np.zeros(0, dtype=bool)] * len(kept)
    for rows in by_length.values():
        found = turning_points(np.stack([rows_of[place[i]] for i in rows]), final[rows])
        for i, row in zip(rows, found, strict=True):
            turns[place[i]] = row
    gaps = np.array([final[i] - rows_of[k][0] for k, i in enumerate(kept)])
    if params.balanced:
        balance(turns, gaps)
    steps = [
        np.where(turns[k], params.eta * (final[i] - rows_of[k][:-1]), np.diff(rows_of[k])) for k, i in enumerate(kept)
    ]
    groups = columns.objects("group")
    scores = advantages(steps, [groups[i] for i in kept])

    def place_steps(values: Sequence[object]) -> list[object]:
        return [values[place[i]] if i in place else None for i in range(columns.size)]

    return Outcome(
        rewards=place_steps(steps),
        details={
            "advantage": place_steps(scores),
            "turning_points": place_steps([_as_integers(row) for row in turns]),
            "delta": place_steps(gaps.tolist()),
        },
        invalid=invalid,
    )


def _as_integers(row: BoolArray) -> list[int]:
    steps: NDArray[np.intp] = np.flatnonzero(row) + 1
    return [int(step) for step in steps]
