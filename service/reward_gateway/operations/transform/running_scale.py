"""Running reward scaling, as PPO for RLHF uses it: a stream's rewards divided by the stream's standard deviation."""

from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..costs import CHEAP
from ..effects import Effectful, MergeMoments, Moments, perform
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Secrets of RLHF in Large Language Models Part II: Reward Modeling", "https://arxiv.org/abs/2401.06080")

NEGLIGIBLE = 1e-12
"""A standard deviation below this share of the mean is rounding, and counts as 0."""


LARGEST = 1e100
"""Largest magnitude that joins a stream: the squares of larger numbers would make its moments infinite for good."""


class Params(OperationParams):
    stream: str | None = Field(None, min_length=1, description="Name of the stream, where an item gives none.")
    center: bool = Field(False, description="Also subtract the running mean.")
    clip: float | None = Field(10.0, gt=0, description="Clip the result to ± this; null for no clipping.")


class Item(OperationItem):
    reward: float | None = Field(None, description="One number to scale, in place of `rewards`.")
    rewards: list[float] | None = Field(None, description="A batch to scale, in place of `reward`.")
    stream: str | None = Field(None, description="Name of the stream. If omitted: that of the params.")


TOO_LARGE = Invalid("not_finite", f"the number is larger than {LARGEST:g}, which no stream of rewards can hold")


def moments_of(values: FloatArray) -> Moments:
    """Count, mean and sum of squared deviations of some numbers."""
    if values.size == 0:
        return Moments()
    mean = float(values.mean())
    return Moments(float(values.size), mean, float(((values - mean) ** 2).sum()))


def std_of(moments: Moments, ddof: int) -> float:
    """Standard deviation of a stream; 0 where there are too few numbers or they are all equal."""
    if moments.count <= ddof or moments.m2 <= 0:
        return 0.0
    std = float(np.sqrt(moments.m2 / (moments.count - ddof)))
    return std if std > NEGLIGIBLE * abs(moments.mean) else 0.0


def batches(columns: Columns, stream: str | None) -> tuple[dict[tuple[str, int], list[int]], dict[int, Invalid]]:
    """The rows that update a stream together, and the rows that belong to none.

    Rows with one ``reward`` each are one batch a stream; a row with ``rewards`` is a batch of its own.
    """
    rewards, streams, lists = columns.floats("reward"), columns.objects("stream"), columns.objects("rewards")
    together: dict[tuple[str, int], list[int]] = {}
    invalid: dict[int, Invalid] = {}
    for i in range(columns.size):
        name = streams[i] or stream
        if name is None:
            invalid[i] = Invalid("missing_field", "name the stream in the item or in params.stream", param="stream")
        elif np.abs(lists[i] if lists[i] is not None else [rewards[i]]).max(initial=0.0) > LARGEST:
            invalid[i] = TOO_LARGE
        elif lists[i] is not None:
            together[name, i] = [i]
        elif np.isnan(rewards[i]):
            invalid[i] = Invalid("missing_field", "give reward or rewards", param="reward")
        else:
            together.setdefault((name, -1), []).append(i)
    return together, invalid


class StreamAnswers:
    """Collects the answers of batches: a scalar for a row with ``reward``, a vector for one with ``rewards``."""

    def __init__(
        self, columns: Columns, together: dict[tuple[str, int], list[int]], invalid: dict[int, Invalid]
    ) -> None:
        self.given, self.lists = columns.floats("reward"), columns.objects("rewards")
        self.together, self.invalid = together, invalid
        self.reward = np.full(columns.size, np.nan)
        self.rewards: list[Any] = [None] * columns.size
        self.details: dict[str, list[Any]] = {}

    def values(self, key: tuple[str, int]) -> FloatArray:
        """The numbers of a batch."""
        rows = self.together[key]
        return self.given[rows] if key[1] < 0 else np.asarray(self.lists[rows[0]], dtype=np.float64)

    def answer(self, key: tuple[str, int], values: FloatArray, **details: float) -> None:
        rows = self.together[key]
        if key[1] < 0:
            self.reward[rows] = values
        else:
            self.rewards[rows[0]] = values.tolist()
        for name, value in details.items():
            column = self.details.setdefault(name, [None] * len(self.reward))
            for row in rows:
                column[row] = value

    def outcome(self) -> Outcome:
        scalar = any(key[1] < 0 for key in self.together)
        vector = any(key[1] >= 0 for key in self.together)
        return Outcome(
            reward=self.reward if scalar else None,
            rewards=self.rewards if vector else None,
            details=dict(self.details),
            invalid=self.invalid,
        )


@operation(
    "transform",
    "running_scale",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    stateful=True,
    cost=CHEAP,
)
def running_scale(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Divide by the running standard deviation of a named stream.

    r' = clip(r / σ, ±clip), or (r − μ) / σ with `center`; μ and σ (sample, ddof 1) are the stream's, after this batch
    was merged into them. σ = 0 (one number, or all equal) leaves r as it is. Clip 10.

    An item is a batch (`rewards`, answered by `rewards`) or a number (`reward`, answered by `reward`; the numbers of
    one request and stream are one batch). The answer depends on what the stream has seen: it is never cached.
    Details: `count`, `mean`, `std` of the stream.
    """
    together, invalid = batches(columns, params.stream)
    answers = StreamAnswers(columns, together, invalid)
    for key in together:
        values = answers.values(key)
        moments = yield from perform(MergeMoments(key[0], moments_of(values)))
        std = std_of(moments, ddof=1)
        scaled = (values - moments.mean if params.center else values) / (std if std > 0 else 1.0)
        if params.clip is not None:
            scaled = np.clip(scaled, -params.clip, params.clip)
        answers.answer(key, scaled, count=moments.count, mean=moments.mean, std=std)
    return answers.outcome()
