"""HERON: preferences from feedback factors in order of importance; a lower one decides only where higher ones tie."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..members import entry, matrix
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "HERON: reinforcement learning from hierarchical weak preference feedback", "https://github.com/abukharin3/HERON"
)

LARGEST = 512
"""Most candidates of an item: every pair is listed."""


class Params(OperationParams):
    sigma: list[float] | None = Field(None, description="Margin of each level in standard deviations; 0 unless given.")
    signs: list[int] | None = Field(None, description="-1 for a factor of which less is better; 1 unless given.")
    variant: Literal["paper", "released"] = Field(
        "paper",
        description="released: the third level and those below use the second's sigma, and margins are of the sample "
        "standard deviation, as in that code.",
    )


class Candidate(OperationItem):
    factors: list[float] = Field(
        description="Values of the factors, the most important first; as many in every candidate."
    )


class Item(OperationItem):
    candidates: list[Candidate] = Field(description="Batch of candidates to compare, 1 to 512.")


@operation(
    "combine",
    "heron",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    grouped=True,
    cost=Cost(row=60.0, unit=0.5, square=0.02),
)
def heron(columns: Columns, params: Params) -> Outcome:
    """Pairwise preferences of a batch of candidates by factors in order of importance.

    For level l = 1, 2, …: i ≻ j if f_i > f_j + σ_l · std(f), std the batch's of that factor after its sign (of the
    population; variant `released`: of the sample); j ≻ i if the reverse holds; otherwise the next level decides; none:
    a tie. σ = 0 unless given, so that any difference decides. `signs` −1 flips a factor of which less is better. With
    σ > 0 the relation is not transitive: do not sort by it.

    `rewards` are win counts (scalarising is our design). Details: `pairs`, for every i < j `pref` (1: i ≻ j, −1, or 0
    for a tie) and the `level` that decided, from 1 (0 for a tie). One candidate has no pairs. No candidates, unequal
    numbers of factors, sigmas or signs, or over 512 candidates are an item error.
    """
    groups = columns.objects("candidates")

    def compute_row(i: int) -> Row:
        candidates = groups[i]
        if not len(candidates):
            raise ItemError("there are no candidates", param="candidates")
        if len(candidates) > LARGEST:
            raise ItemError(f"there are {len(candidates)} candidates, over {LARGEST}", param="candidates")
        factors = matrix([entry(candidate, "factors", ()) for candidate in candidates], "factors")
        sigma, signs = _expand_params(params, factors.shape[1])
        preference, level = _decide_pairs(factors * signs, sigma, ddof=int(params.variant == "released"))
        pairs: list[dict[str, Any]] = [
            {"i": a, "j": b, "pref": int(preference[a, b]), "level": int(level[a, b])}
            for a in range(len(candidates))
            for b in range(a + 1, len(candidates))
        ]
        return Row(rewards=(preference > 0).sum(axis=1).tolist(), details={"pairs": pairs})

    return by_row(columns.size, compute_row)


def _expand_params(params: Params, levels: int) -> tuple[FloatArray, FloatArray]:
    sigma = np.zeros(levels) if params.sigma is None else np.asarray(params.sigma, dtype=np.float64)
    signs = np.ones(levels) if params.signs is None else np.asarray(params.signs, dtype=np.float64)
    if len(sigma) != levels or len(signs) != levels:
        raise ItemError(f"there are {levels} factors, {len(sigma)} sigmas and {len(signs)} signs; they must agree")
    if (np.abs(signs) != 1).any() or (sigma < 0).any():
        raise ItemError("signs are 1 or -1, and a sigma is never negative")
    if params.variant == "released" and levels > 2:
        sigma = np.concatenate([sigma[:2], np.full(levels - 2, sigma[1])])
    return sigma, signs


def _decide_pairs(factors: FloatArray, sigma: FloatArray, ddof: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """[n, n] preference (1, 0, −1) and the level that decided it (0 for a tie)."""
    n = len(factors)
    preference, level = np.zeros((n, n), dtype=np.intp), np.zeros((n, n), dtype=np.intp)
    for place in range(factors.shape[1]):
        values = factors[:, place]
        margin = sigma[place] * (values.std(ddof=ddof) if np.ptp(values) > 0 else 0.0)
        wins = values[:, None] > values[None, :] + margin
        decided = (wins | wins.T) & (level == 0)
        preference[decided] = np.where(wins, 1, -1)[decided]
        level[decided] = place + 1
    return preference, level
