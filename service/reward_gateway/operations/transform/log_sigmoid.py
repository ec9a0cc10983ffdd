"""Transforming rewards (Wang et al. 2024): a Bradley–Terry reward as the log-probability of being good enough."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.special import expit, log_expit, ndtri

from reward_gateway.sample import FloatArray, Invalid, all_finite

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome
from ..ragged import Ragged
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Transforming and Combining Rewards for Aligning Large Language Models", "https://arxiv.org/abs/2402.00742"
)


class Params(OperationParams):
    quantile: float = Field(0.85, ge=0, le=1, description="Quantile of the reference rewards that counts as good.")
    method: Literal["empirical", "normal"] = Field(
        "empirical", description="empirical: interpolated order statistics. normal: mean + z(q) * sample std."
    )

    @model_validator(mode="after")
    def _normal_has_no_ends(self) -> Self:
        if self.method == "normal" and not 0 < self.quantile < 1:
            raise ValueError("a normal distribution has no quantile 0 or 1; take one between, or method empirical")
        return self


class Item(OperationItem):
    reward: float = Field(description="Reward in log-odds (Bradley–Terry).")
    reference: float | None = Field(None, description="Reference reward. If omitted: a quantile of reference_rewards.")
    reference_rewards: list[float] | None = Field(
        None, description="Rewards of the base policy's answers to the same prompt, where no reference is given."
    )


_MISSING = Invalid("missing_field", "give reference or reference_rewards", param="reference_rewards")


def log_sigmoid_of(z: FloatArray) -> FloatArray:
    """log σ(z) without overflow: -softplus(-z), never above 0. NaN stays NaN."""
    return np.asarray(log_expit(z), dtype=np.float64)


def reference_quantile(rewards: Ragged, quantile: float, method: Literal["empirical", "normal"]) -> FloatArray:
    """[n] the quantile of each row's reference rewards; a single reward is its own quantile, no rewards give NaN."""
    if method == "empirical":
        return rewards.quantile(quantile)
    return rewards.mean() + ndtri(quantile) * rewards.std(ddof=1)


def given_references(columns: Columns) -> FloatArray:
    """[n] the ``reference`` field where it is a number; a text of that name (a sample's gold answer) is none."""
    values = columns.given("reference")
    if values is None or isinstance(values, np.ndarray):
        return columns.floats("reference")
    return np.array([v if isinstance(v, (int, float)) else np.nan for v in values], dtype=np.float64)


@operation("transform", "log_sigmoid", item=Item, params=Params, source=SOURCE, fidelity="second-hand", cost=CHEAP)
def log_sigmoid(columns: Columns, params: Params) -> Outcome:
    """Log-probability that an answer is good: log σ(reward − reference).

    u = log σ(r − r_ref), at most 0. r_ref is `reference` if given, else a quantile (default .85) of
    `reference_rewards`, the rewards of the base policy's answers to the same prompt under the same model version.
    The slope σ(−(r − r_ref)) falls to 0 above the reference: raising a poor answer counts, polishing a good one
    does not.

    method `empirical` (default) interpolates linearly between order statistics; `normal` takes
    mean + z(q) · sample standard deviation, as in the repository of PAR. One reference reward is used as it is.

    Only for rewards that are log-odds (Bradley–Terry). Neither reference: an item error. Details: `reference`,
    `probability` = σ(r − r_ref).
    """
    reference = given_references(columns)
    if "reference_rewards" in columns and np.isnan(reference).any():
        rewards = Ragged.of_column(columns, "reference_rewards")
        stored = reference_quantile(rewards, params.quantile, params.method)
        reference = np.where(np.isnan(reference), stored, reference)
    gap = columns.floats("reward") - reference
    return Outcome(
        reward=log_sigmoid_of(gap),
        details={"reference": reference.tolist(), "probability": expit(gap).tolist()},
        invalid={} if all_finite(reference) else dict.fromkeys(np.flatnonzero(np.isnan(reference)).tolist(), _MISSING),
    )
