"""Distances as bounded rewards (Lucy-SKG): near is 1, far is 0."""

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..combine.krc import SOURCE
from ..costs import CHEAP
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    scale: float = Field(gt=0, description="c_d, the distance that divides: 2300 for the ball in Lucy-SKG.")
    dispersion: float = Field(1.0, gt=0, description="w_dis: greater, and the reward falls more slowly.")
    density: float = Field(1.0, gt=0, description="w_den: greater, and the curve is lifted towards 1.")
    signed: bool = Field(False, description="From −1 (far) to 1 (near); see the text.")


class Item(OperationItem):
    distance: float = Field(description="Distance, at least 0.")


@operation("transform", "distance_reward", item=Item, params=Params, source=SOURCE, fidelity="verified", cost=CHEAP)
def distance_reward(columns: Columns, params: Params) -> Outcome:
    """Reward in (0, 1] that decays with a distance.

    R = exp(−½ · d / (c_d · w_dis))^(1 / w_den). `signed` first takes x = 2 (exp(−½ · d / (c_d · w_dis)) − ½), and then
    sign(x) · |x|^(1 / w_den). d = 0 gives 1; a negative distance is the item's error.
    """
    distance = columns.floats("distance")
    exponent = -0.5 * np.maximum(distance, 0.0) / (params.scale * params.dispersion)
    if params.signed:
        centred = 2.0 * (np.exp(exponent) - 0.5)
        reward = np.sign(centred) * np.abs(centred) ** (1.0 / params.density)
    else:
        reward = np.exp(exponent / params.density)
    reason = invalid_field("a distance is never negative", "distance")
    return Outcome(
        reward=reward,
        invalid={int(row): reason for row in np.flatnonzero(distance < 0)},
    )
