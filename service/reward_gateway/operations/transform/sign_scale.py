"""Auto MC-Reward's scale: of a written reward only the sign counts."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Auto MC-Reward: Automated Dense Reward Design with Large Language Models for Minecraft",
    "https://arxiv.org/abs/2312.09238",
)


class Params(OperationParams):
    sparse_scale: float = Field(1.0, description="Size of the sparse reward.")
    dense_scale: float = Field(0.1, description="Size of the dense reward.")


class Item(OperationItem):
    sparse: float = Field(description="Sparse reward, of which the sign counts.")
    dense: float = Field(description="Dense reward, of which the sign counts.")


def signed(sparse: FloatArray, dense: FloatArray, sparse_scale: float = 1.0, dense_scale: float = 0.1) -> FloatArray:
    """The sum of the two signs at their scales; sgn(0) = 0."""
    return sparse_scale * np.sign(sparse) + dense_scale * np.sign(dense)


@operation("transform", "sign_scale", item=Item, params=Params, source=SOURCE, fidelity="second-hand", cost=CHEAP)
def sign_scale(columns: Columns, params: Params) -> Outcome:
    """Signs of a sparse and a dense reward, at fixed scales.

    R = 1 · sgn(sparse) + 0.1 · sgn(dense), sgn(0) = 0: one of ±1.1, ±1, ±0.9, ±0.1, 0. What a program returns as
    magnitude does not matter, only whether it rewards or punishes.
    """
    sparse, dense = columns.floats("sparse"), columns.floats("dense")
    return Outcome(reward=signed(sparse, dense, params.sparse_scale, params.dense_scale))
