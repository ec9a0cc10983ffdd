"""Fréchet distance of a set to an exemplar set, as a reward."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..effects import Effectful
from ..members import matrix
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, operation
from ..stored_sets import read_sets
from .vendi import SOURCE


class Item(OperationItem):
    embeddings: list[list[float]] = Field(
        description="Embeddings of the set, [n][dimensions]; the covariance needs n > dimensions."
    )
    reference: str | None = Field(
        None, description="Name of a stored exemplar set, where reference_embeddings are not given."
    )
    reference_embeddings: list[list[float]] | None = Field(
        None, description="Embeddings of the exemplars, [m][dimensions]. If omitted: those of `reference`."
    )


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Mean [d], covariance [d, d] and whether there were too few items for a full covariance."""

    mean: FloatArray
    covariance: FloatArray
    singular: bool

    @classmethod
    def of(cls, rows: FloatArray) -> "Gaussian":
        """Fitted to rows [n, d], the covariance with divisor n − 1 (0 for a single row)."""
        n, d = rows.shape
        mean = rows.mean(axis=0)
        centred = rows - mean
        return cls(mean, centred.T @ centred / max(n - 1, 1), n < d + 1)

    @classmethod
    def stored(cls, value: Any) -> "Gaussian":
        """From what was put under a name: embeddings, or {"mean": [...], "cov": [[...]]}."""
        if not isinstance(value, Mapping):
            return cls.of(matrix(value, "reference"))
        mean = np.asarray(value["mean"], dtype=np.float64)
        covariance = matrix(value["cov"], "reference.cov")
        if covariance.shape != (len(mean), len(mean)):
            raise ItemError("the reference's covariance does not fit its mean")
        return cls(mean, covariance, False)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """‖μ_a − μ_b‖² + Tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½), at least 0.

    The trace of the square root is taken over the eigenvalues of Σ_a^½ Σ_b Σ_a^½, which is symmetric: no imaginary
    part arises, and singular covariances need no regularisation.
    """
    if a.mean.shape != b.mean.shape:
        raise ItemError(f"the sets have {len(a.mean)} and {len(b.mean)} dimensions; they must agree")
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    inner = np.linalg.eigvalsh(root @ b.covariance @ root)
    cross = np.sqrt(np.clip(inner, 0.0, None)).sum()
    gap = a.mean - b.mean
    return max(0.0, float(gap @ gap + np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * cross))


@operation(
    "score", "set_fad", item=Item, source=SOURCE, fidelity="verified", grouped=True, cost=Cost(row=1000.0, square=0.05)
)
def set_fad(columns: Columns, _: object) -> Effectful[Outcome]:
    """Fréchet distance (FAD, FID) of a set of embeddings to an exemplar set; the reward is its negative.

    FAD = ‖μ_1 − μ_2‖² + Tr(Σ_1 + Σ_2 − 2 (Σ_1 Σ_2)^½), covariances with divisor n − 1. The exemplars are
    `reference_embeddings`, or `reference`, the name of a stored set (its embeddings, or its mean and cov).

    The reward is one for the set; there is none an item. A set with fewer items than dimensions + 1 has a singular
    covariance: the distance is computed without regularisation and the item flagged `singular_covariance`. No
    exemplars, no embeddings, or unequal dimensions are an item error. Details: `fad`, `size`, `dimensions`.
    """
    names, references = columns.objects("reference"), columns.objects("reference_embeddings")
    sets, given = columns.objects("embeddings"), references
    wanted = [name for name, own in zip(names, references, strict=True) if own is None]
    stored = yield from read_sets("embeddings", wanted)

    def compute_row(i: int) -> Row:
        value = given[i] if given[i] is not None else stored.get(names[i])
        if value is None:
            raise ItemError("give reference_embeddings, or the name of a stored reference")
        own, exemplars = Gaussian.of(matrix(sets[i], "embeddings")), Gaussian.stored(value)
        distance = frechet_distance(own, exemplars)
        return Row(
            reward=0.0 - distance,
            details={"fad": distance, "size": len(sets[i]), "dimensions": len(own.mean)},
            flags=("singular_covariance",) if own.singular or exemplars.singular else (),
        )

    return by_row(columns.size, compute_row)
