"""Calibrate a score: the probability that it stands for, by a fit that was stored before."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..calibration.stored import read_calibration
from ..columns import Columns
from ..costs import CHEAP
from ..effects import Effectful
from ..names import StoredSet
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, Source, operation

METHODS = ("platt", "isotonic", "temperature", "moments")


class Params(OperationParams):
    name: StoredSet = Field(min_length=1, max_length=128, description="Name of the stored calibration.")


class Item(OperationItem):
    reward: float = Field(description="Score; the margin of two, chosen less rejected, if fitted on pairs.")


@operation(
    "transform",
    "calibrate",
    item=Item,
    params=Params,
    source=Source(
        "Probabilistic Outputs for Support Vector Machines (Platt 1999), as corrected by Lin, Lin and Weng (2007)",
        "https://doi.org/10.1007/s10994-007-5018-6",
    ),
    fidelity="second-hand",
    cost=CHEAP,
)
def calibrate(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Turn a score into a probability by a stored calibration.

    `PUT /v1/calibrations/NAME` with `{"method", "points": [{"score", "label"}]}` fits one and keeps it, for all runs of
    the tenant; GET says its parameters and how good it is, DELETE resets it.

    | method | r' | fitted by |
    |---|---|---|
    | platt | σ(a r + b) | maximum likelihood of Platt's smoothed targets, (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2) |
    | isotonic | a rising curve in [0, 1] | least squares, by pooling adjacent violators |
    | temperature | σ(r / T) | maximum likelihood of the labels as they are (Guo et al. 2017) |
    | moments | (r − mean) / (std + 1e-6) | mean and sample standard deviation of scores without labels |

    The isotonic curve is linear between the points and flat outside them; equal scores count as one point. `moments` is
    the z-score of a model by stored moments: one name for each model.

    With `{"pairs": [{"chosen", "rejected"}]}` in place of points, it is fitted on the margin chosen − rejected, each
    pair read both ways round, so that p(m) + p(−m) = 1 (and b = 0). Then the item's `reward` is a margin too: the
    score of one response less that of another, for example of a reference response, and r' the probability that the
    first is preferred. A score by itself has no such probability.

    Unless the method is `moments`, the answer lies in [0, 1]. `platt` falls with the score where a is below 0: the
    points said so. An item is answered alike alone and in any batch. While nothing is stored under the name, or a
    `length` (see `transform/length_debias`), every item has an error, never a number. A running z-score, which
    learns from what it answers, is `transform/running_normalise`; one within the request `transform/zscore`.
    """
    rewards = columns.floats("reward")
    stored = yield from read_calibration(params.name, METHODS, "transform/length_debias")
    if isinstance(stored, Invalid):
        return Outcome(reward=np.full(columns.size, np.nan), invalid=dict.fromkeys(range(columns.size), stored))
    return Outcome(reward=stored.apply(rewards))
