"""The running shapes that PAR was compared with: mean and std, clipping to one std, min–max."""

from typing import Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import CHEAP
from ..effects import AppendToArchive, Effectful, MergeMoments, ReadArchive, perform
from ..outcome import ItemError, Outcome, invalid_field
from ..registry import OperationItem, OperationParams, operation
from .par import SOURCE
from .running_scale import StreamAnswers, batches, moments_of, std_of


class Params(OperationParams):
    shape: Literal["meanstd", "clip", "minmax"] = Field("meanstd", description="Which shape; see the text.")
    stream: str | None = Field(None, min_length=1, description="Name of the stream, where an item gives none.")


class Item(OperationItem):
    reward: float | None = Field(None, description="One number to shape, in place of `rewards`.")
    rewards: list[float] | None = Field(None, description="A batch to shape, in place of `reward`.")
    stream: str | None = Field(None, description="Name of the stream. If omitted: that of the params.")


@operation(
    "transform", "par_running", item=Item, params=Params, source=SOURCE, fidelity="verified", stateful=True, cost=CHEAP
)
def par_running(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Running normalisation of a stream: mean and std, clipping, or min–max.

    - meanstd (default): (r − μ) / σ, population std (ddof 0), σ = 0 counts as 1
    - clip: r clipped to [μ − σ, μ + σ]
    - minmax: (r − min) / (max − min) over all the stream has seen, 0 where max = min

    The stream is updated with the batch before its values are shaped. Items are batches (`rewards`) or numbers
    (`reward`), as in `transform/running_scale`. Details: the stream's `mean` and `std`, or its `min` and `max`.
    """
    together, invalid = batches(columns, params.stream)
    answers = StreamAnswers(columns, together, invalid)
    for key in together:
        values = answers.values(key)
        if params.shape == "minmax":
            try:
                low, high = yield from _update_extremes(key[0], values)
            except ItemError as error:
                invalid.update(dict.fromkeys(together[key], invalid_field(str(error))))
                continue
            width = high - low if high > low else 1.0
            answers.answer(key, (values - low) / width, min=low, max=high)
            continue
        moments = yield from perform(MergeMoments(key[0], moments_of(values)))
        mean, std = moments.mean, std_of(moments, ddof=0)
        if params.shape == "clip":
            shaped = np.clip(values, mean - std, mean + std)
        else:
            shaped = (values - mean) / (std if std > 0 else 1.0)
        answers.answer(key, shaped, mean=mean, std=std)
    return answers.outcome()


def _update_extremes(stream: str, values: FloatArray) -> Effectful[tuple[float, float]]:
    """Least and greatest value of a stream, this batch included.

    They are kept as an archive of [low, high] pairs that only grows, and only when the range does: appends are
    atomic and the order does not matter, so processes may race and still agree.
    """
    seen: FloatArray = yield from perform(ReadArchive(f"{stream}:extremes"))
    if len(seen) and seen.shape[1] != 2:
        raise ItemError(f"the archive {stream}:extremes does not hold pairs of a least and a greatest value")
    low, high = (float(seen[:, 0].min()), float(seen[:, 1].max())) if len(seen) else (np.inf, -np.inf)
    if values.size and (values.min() < low or values.max() > high):
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        yield from perform(AppendToArchive(f"{stream}:extremes", np.array([[low, high]])))
    return low, high
