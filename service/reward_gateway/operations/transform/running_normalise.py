"""Normalise by a stream's running moments: the scale that a run has seen so far, across requests and processes."""

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..costs import CHEAP
from ..effects import Effectful, MergeMoments, perform
from ..groups import EPS
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, operation
from .running_scale import LARGEST, TOO_LARGE, moments_of, std_of


class Params(OperationParams):
    stream: str = Field(min_length=1, max_length=256, description="Name of the stored moments, one a run and reward.")
    center: bool = Field(True, description="Subtract the running mean.")
    clip: float | None = Field(None, gt=0, description="Largest absolute value that is given; none if unset.")
    eps: float = Field(EPS, ge=0, description="Added to the standard deviation.")


class Item(OperationItem):
    reward: float = Field(description="Reward that joins the stream and is normalised by it.")


@operation("transform", "running_normalise", item=Item, params=Params, stateful=True, cost=CHEAP)
def running_normalise(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Subtract a stream's running mean and divide by its running standard deviation (n - 1).

    The items update the moments first and are then normalised by them: r' = (r - mean) / (std + eps).
    While the stream has fewer than two values, or no spread, only the mean is subtracted. By moments that stay as they
    were stored: `transform/calibrate` with the method `moments`.
    """
    rewards = columns.floats("reward")
    large = np.abs(rewards) > LARGEST
    rewards = np.where(large, np.nan, rewards)
    moments = yield from perform(MergeMoments(params.stream, moments_of(rewards[~np.isnan(rewards)])))
    std = std_of(moments, ddof=1)
    normalised = (rewards - moments.mean if params.center else rewards) / (std + params.eps if std > 0 else 1.0)
    reward = normalised if params.clip is None else np.clip(normalised, -params.clip, params.clip)
    return Outcome(reward=reward, invalid=dict.fromkeys(np.flatnonzero(large).tolist(), TOO_LARGE))
