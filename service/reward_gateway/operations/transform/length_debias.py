"""Take out of a reward what its response's length explains, by a regression that was stored before."""

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


class Params(OperationParams):
    name: StoredSet = Field(min_length=1, max_length=128, description="Name of the stored calibration.")


class Item(OperationItem):
    reward: float = Field(description="Reward of the response.")
    length: float = Field(ge=0, description="Its length, in the unit of the stored points: tokens for example.")


@operation(
    "transform",
    "length_debias",
    item=Item,
    params=Params,
    source=Source(
        "Post-hoc Reward Calibration: A Case Study on Length Bias; LOWESS of Cleveland (1979)",
        "https://arxiv.org/abs/2409.17407",
    ),
    fidelity="verified",
    cost=CHEAP,
)
def length_debias(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Subtract what is expected of a response of this length: r' = r − E[r | length].

    E[r | length] is a locally weighted regression (LOWESS) on points that were stored by
    `PUT /v1/calibrations/NAME` `{"method": "length", "points": [{"score", "length"}]}`: at each length a line through
    the nearest two thirds of the points (`fraction`), near ones weighing more, with three further rounds in which
    points far from the curve weigh less. It is done at up to 500 lengths; between them the curve is linear. The paper's
    code gives the same at the lengths of the points, with the fraction .5, or .1 where it has many.

    Outside the lengths of the points the curve goes on flat: a longer response is compared with the longest of them.
    Points that all have one length give one expectation for all, their mean (robust against outliers); few points give
    a curve that follows each of them, so that stored ones would come out near 0: give hundreds. r' has mean 0 or so
    over the points; only differences between rewards are meaningful. r' shifts with r.

    An item is answered alike alone and in any batch. While nothing is stored under the name, or another method than
    `length`, every item has an error, never a number. Details: `expected`, E[r | length].
    """
    rewards = columns.floats("reward")
    stored = yield from read_calibration(params.name, ("length",), "transform/calibrate")
    if isinstance(stored, Invalid):
        return Outcome(reward=np.full(columns.size, np.nan), invalid=dict.fromkeys(range(columns.size), stored))
    expected = stored.apply(columns.floats("length"))
    return Outcome(reward=rewards - expected, details={"expected": expected.tolist()})
