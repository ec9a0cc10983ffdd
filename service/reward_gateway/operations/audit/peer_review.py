"""Collaborative reward modelling: two models that pick each other's clean preference pairs."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..members import column
from ..numerics import softplus
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Two Minds Better Than One: collaborative reward modeling", "https://arxiv.org/abs/2505.10597")


class Params(OperationParams):
    noise_rate: float = Field(0.2, ge=0, lt=1, description="Share of pairs taken for mislabelled.")


class Pair(OperationItem):
    margin_a: float = Field(description="r_chosen − r_rejected under reward model A.")
    margin_b: float = Field(description="The same under reward model B.")


class Item(OperationItem):
    pairs: list[Pair] = Field(description="Preference pairs that both models have scored, at least one.")


def smallest_losses(margins: FloatArray, noise_rate: float) -> list[int]:
    """The ⌊(1 − η)·n⌋ pairs (at least one) of smallest −log σ(margin), by rising loss; ties by place."""
    keep = max(1, int((1 - noise_rate) * len(margins) + 1e-9))
    order = np.argsort(-margins, kind="stable")  # the loss falls with the margin
    return [int(place) for place in order[:keep]]


@operation("audit", "peer_review", item=Item, params=Params, source=SOURCE, fidelity="second-hand", grouped=True)
def peer_review(columns: Columns, params: Params) -> Outcome:
    """Which preference pairs each of two reward models should train on, chosen by the other one.

    ℓ = −log σ(margin). B trains on the ⌊(1 − η)·n⌋ pairs of smallest loss under A, and A on those of B; at least one,
    ties by place; η = 0 keeps all. The choice also drops hard pairs that are right. The keep ratio is recalled from
    co-teaching, not read in the paper.

    The reward is the share of pairs on which the models agree (both margins above 0). Details: `keep_for_a`,
    `keep_for_b` (places, by rising loss), `disagree` (places), `loss_a`, `loss_b`, `ensemble` (mean margin).
    No pairs: an item error.
    """
    data = columns.objects("pairs")

    def compute_row(i: int) -> Row:
        if not len(data[i]):
            raise ItemError("there are no pairs", param="pairs")
        a, b = column(data[i], "margin_a"), column(data[i], "margin_b")
        agree = (a > 0) & (b > 0)
        return Row(
            reward=float(agree.mean()),
            details={
                "keep_for_a": smallest_losses(b, params.noise_rate),
                "keep_for_b": smallest_losses(a, params.noise_rate),
                "disagree": np.flatnonzero(~agree).tolist(),
                "loss_a": softplus(-a).tolist(),
                "loss_b": softplus(-b).tolist(),
                "ensemble": ((a + b) / 2).tolist(),
            },
        )

    return by_row(columns.size, compute_row)
