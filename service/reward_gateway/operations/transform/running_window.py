"""Compare a reward with the latest rewards of a stream, by ranks and medians, across requests and processes."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..costs import CHEAP
from ..effects import AppendToArchive, Effectful, ReadArchive, perform
from ..groups import EPS, Groups
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, operation
from ..robust_groups import robust_zscore
from .quantile import empirical_cdf

LONGEST = 10_000
"""Rewards that a stream keeps: as many as an archive keeps vectors."""


class Params(OperationParams):
    stream: str = Field(min_length=1, max_length=256, description="Name of the stream: an archive of single numbers.")
    window: int = Field(LONGEST, ge=1, le=LONGEST, description="How many of the latest rewards count, these included.")


class ScaleParams(Params):
    eps: float = Field(EPS, ge=0, description="Added to the spread.")


class Item(OperationItem):
    reward: float = Field(description="Reward that joins the stream and is compared with it.")


def _join_stream(columns: Columns, params: Params) -> Effectful[tuple[FloatArray, FloatArray] | Invalid]:
    """The items' rewards [n], and the stream's latest [m], with these at the end; or why there is no such stream."""
    rewards = columns.floats("reward")
    own = rewards[~np.isnan(rewards)]
    before = yield from perform(ReadArchive(params.stream))
    if len(before) and before.shape[1] != 1:
        message = f"the archive {params.stream!r} holds vectors of {before.shape[1]} numbers, and no stream of rewards"
        return Invalid("operation_error", f"{message}: name another stream")
    if len(own):
        yield from perform(AppendToArchive(params.stream, own[:, np.newaxis]))
    return rewards, np.concatenate([before.ravel(), own])[-max(params.window, len(own)) :]


def _refuse_all(columns: Columns, reason: Invalid) -> Outcome:
    return Outcome(reward=np.full(columns.size, np.nan), invalid=dict.fromkeys(range(columns.size), reason))


@operation("transform", "running_quantile", item=Item, params=Params, stateful=True, cost=CHEAP)
def running_quantile(columns: Columns, params: Params) -> Effectful[Outcome]:
    """The level of a reward among the latest rewards of a stream, in (0, 1).

    r' = (share of the stream below r) + half the share equal to r. The items join the stream first and are then
    compared with it, themselves included: the first reward of a stream gets .5. The stream is exact, not sketched: the
    latest `window` rewards of all requests, at most 10,000 (all items of a larger request count). It belongs to the
    run; `GET /v1/state/archives/STREAM` shows it and DELETE resets it.

    Only the order of rewards counts: any rising transform of them changes nothing. For levels among rewards that stay
    as they were given, see `transform/quantile`. Details: `count`, the rewards compared with.
    """
    joined = yield from _join_stream(columns, params)
    if isinstance(joined, Invalid):
        return _refuse_all(columns, joined)
    rewards, stream = joined
    levels = empirical_cdf(rewards, stream) if len(stream) else np.full(columns.size, np.nan)
    return Outcome(reward=levels, details={"count": [len(stream)] * columns.size})


@operation("transform", "running_robust_scale", item=Item, params=ScaleParams, stateful=True, cost=CHEAP)
def running_robust_scale(columns: Columns, params: ScaleParams) -> Effectful[Outcome]:
    """Subtract a stream's running median and divide by its median absolute deviation.

    r' = (r − median) / (1.4826 · MAD + eps) over the latest `window` rewards of the stream, at most 10,000, which the
    items join first. Where half of them or more are equal, 1.2533 times the mean absolute deviation takes the MAD's
    place; where all are, and for the first reward of a stream, r' is 0. A few wild rewards move neither, where they
    would set the scale of `transform/running_normalise` for good; and the window follows a policy that changes. The
    stream belongs to the run; `GET /v1/state/archives/STREAM` shows it and DELETE resets it.

    Details: `count`, `median`, `spread` (what is divided by, without eps).
    """
    joined = yield from _join_stream(columns, params)
    if isinstance(joined, Invalid):
        return _refuse_all(columns, joined)
    rewards, stream = joined
    scores, found = robust_zscore(stream, Groups.one(len(stream)), eps=params.eps)
    present = ~np.isnan(rewards)
    scaled = np.full(columns.size, np.nan)
    scaled[present] = scores[len(stream) - int(present.sum()) :]
    median, spread = (float(column[-1]) if len(stream) else np.nan for column in (found.median, found.spread))
    told = {"count": len(stream), "median": median, "spread": spread}
    known = {name: value if np.isfinite(value) else None for name, value in told.items()}
    return Outcome(reward=scaled, details={name: [value] * columns.size for name, value in known.items()})
