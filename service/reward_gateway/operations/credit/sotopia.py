"""Sotopia-RL: an episode's scores spread over the utterances that earned them."""

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, operation
from ..score.sotopia_rm import SOURCE

Mode = Literal["direct", "normalised", "discount", "uniform", "key_utterance"]


class Params(OperationParams):
    mode: Mode = Field("direct", description="How an episode's score is spread over its utterances.")
    scale: float = Field(3.0, gt=0, description="Highest attribution of the judge's prompt: 3, 5 or 10 (direct).")
    gamma: float = Field(0.9, gt=0, le=1, description="Discount an utterance before the last (discount).")
    bounds: dict[str, list[float]] | None = Field(
        None,
        description="Dimension -> [min, max] of its rewards over the data set. Given: every dimension is brought to "
        "0..1 by them, and the reward is 10 times the mean over dimensions.",
    )
    flat: float = Field(0.5, description="What min-max gives for a dimension whose bounds are equal.")

    @model_validator(mode="after")
    def _bounds_are_pairs(self) -> Self:
        for name, bound in (self.bounds or {}).items():
            if len(bound) != 2 or bound[0] > bound[1]:
                raise ValueError(f"the bounds of {name!r} must be [min, max]")
        return self


class Item(OperationItem):
    attributions: dict[str, list[float | None]] = Field(
        description="Dimension -> the judge's attribution of every utterance (0..scale, -1 for harmful, null counts 0)."
    )
    scores: dict[str, float] = Field(description="Dimension -> score of the episode.")
    key_utterance: dict[str, int] | None = Field(None, description="Dimension -> index of the key utterance.")


def spread(attributions: Sequence[float | None], score: float, key: int | None, params: Params) -> FloatArray:
    """[n] rewards of one dimension's utterances.

    Raises:
        ItemError: an attribution below -1, or no key utterance where the mode needs one.
    """
    given = np.array([0.0 if value is None else value for value in attributions], dtype=np.float64)
    n = len(given)
    if bool(((given < 0) & (given != -1)).any()):
        raise ItemError("an attribution is 0 or more, or -1", param="attributions")
    match params.mode:
        case "direct":
            return np.where(given == -1, -1.0, given / params.scale * score)
        case "normalised":
            total = given.sum()
            return given / total * score if total > 0 else np.zeros(n)
        case "discount":
            return params.gamma ** np.arange(n - 1, -1, -1, dtype=np.float64) * score
        case "uniform":
            return np.full(n, score)
        case "key_utterance":
            if key is None or not 0 <= key < n:
                raise ItemError(
                    f"key_utterance must name one of the {n} utterances by its index", param="key_utterance"
                )
            return np.where(np.arange(n) == key, score, 0.0)


@operation(
    "credit",
    "sotopia",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    turn_fields={"attributions": 0},
)
def sotopia(columns: Columns, params: Params) -> Outcome:
    """One reward an utterance from an episode's scores and a judge's attributions.

    For dimension d with episode score G and attributions A_i:

    - `direct` (default): r_i = A_i / scale · G, scale 3 (the judge's prompts with 5 or 10 grades divide by those);
      A_i = −1 gives r_i = −1
    - `normalised`: r_i = A_i / ΣA · G; ΣA ≤ 0 gives 0
    - `discount`: r_i = .9^(n−1−i) · G
    - `uniform`: r_i = G
    - `key_utterance`: G at one utterance, 0 elsewhere

    With `bounds`, r_i = 10 · mean over d of (r_i^d − min_d) / (max_d − min_d), the bounds being those of the data set
    (the paper's final model takes goal, relationship and knowledge); a dimension without bounds is an item error,
    and equal bounds give `flat` (.5, our choice: the source divides by zero). Without bounds, the mean over dimensions.

    A null attribution (a key that the judge left out) counts 0. Dimensions of unequal numbers of utterances, or without
    a score, are an item error; no utterances give no rewards. Details: `dimensions`, the rewards of each before they
    are brought together.
    """
    attributions, scores, keys = (columns.objects(name) for name in ("attributions", "scores", "key_utterance"))

    def compute_row(i: int) -> Row:
        given: dict[str, list[float | None]] = attributions[i]
        if not given:
            raise ItemError("attributions must name at least one dimension", param="attributions")
        lengths = {name: len(values) for name, values in given.items()}
        if len(set(lengths.values())) > 1:
            raise ItemError(f"the dimensions differ in their number of utterances: {lengths}", param="attributions")
        dimensions: dict[str, FloatArray] = {}
        for name, values in given.items():
            if scores[i].get(name) is None:
                raise ItemError(f"scores lacks the dimension {name!r}", param="scores")
            dimensions[name] = spread(values, scores[i][name], (keys[i] or {}).get(name), params)
        scaled = [_scale_rewards(name, values, params) for name, values in dimensions.items()]
        mean = np.mean(scaled, axis=0)
        return Row(
            rewards=10.0 * mean if params.bounds is not None else mean,
            details={"dimensions": {name: values.tolist() for name, values in dimensions.items()}},
        )

    return by_row(columns.size, compute_row)


def _scale_rewards(name: str, rewards: FloatArray, params: Params) -> FloatArray:
    if params.bounds is None:
        return rewards
    if name not in params.bounds:
        raise ItemError(f"params.bounds lacks the dimension {name!r}")
    low, high = params.bounds[name]
    return (rewards - low) / (high - low) if high > low else np.full(len(rewards), params.flat)
