"""Vendi score: the effective number of different items in a set."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..members import matrix
from ..numerics import unit
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "DRAGON: distributional rewards optimize diffusion generative models", "https://arxiv.org/abs/2504.15217"
)

LARGEST = 2048
"""Most items of a set whose kernel is decomposed."""


class Params(OperationParams):
    contributions: bool = Field(False, description="Also the loss of each item left out (at most 128 items).")


class Item(OperationItem):
    embeddings: list[list[float]] | None = Field(
        None, description="Embeddings of the set, [n][features], not of length 0; at most 2,048."
    )
    kernel: list[list[float]] | None = Field(
        None, description="Similarities [n][n], symmetric, 1 on the diagonal, in place of embeddings."
    )


def vendi_of(kernel: FloatArray) -> float:
    """exp of the entropy of the eigenvalues of K / n, for K_ii = 1; between 1 and n."""
    values = np.linalg.eigvalsh(kernel / len(kernel))
    positive = values[values > 0]
    return float(np.clip(np.exp(-(positive * np.log(positive)).sum()), 1.0, len(kernel)))


@operation(
    "score",
    "vendi",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    grouped=True,
    cost=Cost(row=200.0, square=0.2, times=lambda params: 128.0 if params.contributions else 1.0),
)
def vendi(columns: Columns, params: Params) -> Outcome:
    """Vendi score of a set: its effective number of different items.

    exp(−Σ λ_i ln λ_i), λ the eigenvalues of K / n: 1 where all items are the same, n where all are orthogonal;
    eigenvalues that are not positive count 0. One item is one set: give `embeddings` (the kernel is their cosine) or
    `kernel` (square, symmetric, 1 on the diagonal).

    A set reward has no value per item; `contributions` adds, as our own design, how much the score falls without each.
    An empty set, rows of unequal length, an embedding of length 0, a kernel that is none, or over 2,048 items are the
    item's error. Details: `size`.
    """
    embeddings, kernels = columns.objects("embeddings"), columns.objects("kernel")

    def compute_row(i: int) -> Row:
        kernel = _cosine_kernel(embeddings[i]) if kernels[i] is None else _check_kernel(matrix(kernels[i], "kernel"))
        details: dict[str, object] = {"size": len(kernel)}
        score = vendi_of(kernel)
        if params.contributions:
            details["contributions"] = _compute_contributions(kernel, score)
        return Row(reward=score, details=details)

    return by_row(columns.size, compute_row)


def _cosine_kernel(embeddings: object) -> FloatArray:
    if embeddings is None:
        raise ItemError("give embeddings or a kernel")
    rows = matrix(embeddings, "embeddings")
    _check_size(len(rows))
    directions = np.stack([unit(row, f"embeddings[{k}]") for k, row in enumerate(rows)])
    return np.asarray(directions @ directions.T)


def _check_kernel(kernel: FloatArray) -> FloatArray:
    _check_size(len(kernel))
    if kernel.shape[0] != kernel.shape[1] or not np.allclose(kernel, kernel.T, atol=1e-6):
        raise ItemError("the kernel must be square and symmetric", param="kernel")
    if not np.allclose(np.diag(kernel), 1.0, atol=1e-6):
        raise ItemError("the kernel must be 1 on the diagonal", param="kernel")
    return kernel


def _check_size(size: int) -> None:
    if size > LARGEST:
        raise ItemError(f"a set has at most {LARGEST} items, and this one has {size}")


def _compute_contributions(kernel: FloatArray, score: float) -> list[float]:
    if len(kernel) > 128:
        raise ItemError("contributions are given for at most 128 items")
    if len(kernel) == 1:
        return [score]
    rest = [np.delete(np.delete(kernel, k, axis=0), k, axis=1) for k in range(len(kernel))]
    return [score - vendi_of(part) for part in rest]
