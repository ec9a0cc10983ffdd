"""PISCES' optimal transport: how text tokens align with video patches, as a partial transport plan."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import logsumexp, softmax

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..members import matrix
from ..numerics import unit
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "PISCES: annotation-free text-to-video rewards by optimal transport", "https://arxiv.org/abs/2602.01624"
)

LARGEST = 512 * 512
"""Most cells of a cost matrix."""


class Params(OperationParams):
    epsilon: float = Field(0.05, gt=0, description="Entropy of the plan.")
    mass: float = Field(0.9, gt=0, le=1, description="m: 1 transports everything, less lets poor matches go.")
    gamma: float = Field(0.2, ge=0, description="Weight of the distance in time, where the cost is built here.")
    eta: float = Field(0.2, ge=0, description="Weight of the distance in space, where the cost is built here.")
    normalize: bool = Field(True, description="Min–max the cost to [0, 1] first.")
    max_iterations: int = Field(1000, ge=1, le=10_000, description="Iterations at most.")
    tolerance: float = Field(1e-12, gt=0, description="Stop where the potentials change by less than this.")


class Item(OperationItem):
    cost: list[list[float]] | None = Field(
        None, description="Cost [tokens][patches]. If omitted: built from the two embeddings."
    )
    attention: list[list[float]] | None = Field(
        None, description="Attention [tokens][patches]. If omitted: no times, no positions, no weighed attention."
    )
    text_embeddings: list[list[float]] | None = Field(
        None, description="Embeddings of the tokens, [tokens][features]; needed without `cost`."
    )
    video_embeddings: list[list[float]] | None = Field(
        None, description="Embeddings of the patches, [patches][features]; needed without `cost`."
    )
    times: list[float] | None = Field(None, description="Time of every patch, [patches]. If omitted: no term of time.")
    positions: list[list[float]] | None = Field(
        None, description="Place of every patch, [patches][2]. If omitted: no term of place."
    )


def minmax(values: FloatArray) -> FloatArray:
    """Scaled to [0, 1]; 0 where all are equal."""
    low, span = values.min(), np.ptp(values)
    return np.asarray((values - low) / span) if span > 0 else np.zeros_like(values)


def partial_plan(cost: FloatArray, epsilon: float, mass: float, iterations: int, tolerance: float) -> FloatArray:
    """The plan P* [n, m] of unbalanced Sinkhorn in logarithms, with uniform marginals.

    ρ = ε·m / (1 − m), t = ρ / (ρ + ε) = m (1 for m ≥ .999): log u ← t (log μ − lse_j(−C/ε + log v)), log v likewise.
    """
    kernel = -cost / epsilon
    n, m = cost.shape
    log_mu, log_nu = -np.log(n), -np.log(m)
    t = 1.0 if mass >= 0.999 else mass
    log_u, log_v = np.zeros(n), np.zeros(m)
    for _ in range(iterations):
        before = log_u
        log_u = t * (log_mu - logsumexp(kernel + log_v[None, :], axis=1))
        log_v = t * (log_nu - logsumexp(kernel + log_u[:, None], axis=0))
        if np.abs(log_u - before).max() < tolerance:
            break
    return np.asarray(np.exp(log_u[:, None] + kernel + log_v[None, :]))


def aligned_attention(attention: FloatArray, plan: FloatArray) -> FloatArray:
    """Rows of attention ⊙ plan, each normalised to 1; a row without attention follows the plan alone."""
    with np.errstate(divide="ignore"):
        logs = np.log(attention) + np.log(plan)
    empty = np.isneginf(logs).all(axis=1)
    logs[empty] = 0.0
    result = np.asarray(softmax(logs, axis=1))
    totals = plan[empty].sum(axis=1, keepdims=True)
    columns = plan.shape[1]
    result[empty] = np.where(totals > 0, plan[empty] / np.where(totals > 0, totals, 1.0), 1.0 / columns)
    return result


@operation(
    "score",
    "ot_alignment",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    grouped=False,
    cost=Cost(row=100.0, unit=0.05, times=lambda params: params.max_iterations),
)
def ot_alignment(columns: Columns, params: Params) -> Outcome:
    """Mass that a partial optimal transport moves between text tokens and video patches.

    C is the item's `cost` [tokens][patches], or is built: 1 − cos(text, video) + γ·|τ_i − t_j| + η·‖π_i − s_j‖, τ and
    π the attention-weighted mean time and position of a token (`times` [patches], `positions` [patches][2], both
    optional), each term scaled to [0, 1], γ = η = .2; then C is min–max scaled (`normalize`; a constant C becomes 0).
    Unbalanced Sinkhorn in logarithms with uniform marginals, ε = .05, m = .9: ρ = ε·m / (1 − m), t = m,
    log u ← t (log μ − lse_j(−C/ε + log v)), log v likewise, until nothing changes by 1e-12 or 1,000 iterations.
    P* = exp(log u − C/ε + log v); the reward is Σ P*.

    Details: `plan` (P*), `iterations` are bounded so that the answer is deterministic; `attention`, where the item
    gives one: Ã, rows of attention ⊙ P* normalised (no constant is added; a row without attention follows P*).
    Unequal shapes, negative attention, an embedding of length 0 or over 262,144 cells are an item error.
    """
    fields = {name: columns.objects(name) for name in Item.model_fields}

    def compute_row(i: int) -> Row:
        given = {name: values[i] for name, values in fields.items()}
        attention = None if given["attention"] is None else _read_attention(given["attention"])
        cost = _build_cost(given, attention, params) if given["cost"] is None else matrix(given["cost"], "cost")
        _check_size(cost.shape)
        if attention is not None and attention.shape != cost.shape:
            raise ItemError(
                f"attention is {attention.shape} and the cost {cost.shape}; they must agree", param="attention"
            )
        scaled = minmax(cost) if params.normalize else cost
        plan = partial_plan(scaled, params.epsilon, params.mass, params.max_iterations, params.tolerance)
        details: dict[str, Any] = {"plan": plan.tolist()}
        if attention is not None:
            details["attention"] = aligned_attention(attention, plan).tolist()
        return Row(reward=float(plan.sum()), details=details)

    return by_row(columns.size, compute_row)


def _check_size(shape: tuple[int, ...]) -> None:
    if shape[0] * shape[1] > LARGEST:
        raise ItemError(f"the cost has {shape[0]} x {shape[1]} cells, over {LARGEST}")


def _read_attention(given: Any) -> FloatArray:
    attention = matrix(given, "attention")
    if (attention < 0).any():
        raise ItemError("attention must not be negative", param="attention")
    return attention


def _build_cost(given: dict[str, Any], attention: FloatArray | None, params: Params) -> FloatArray:
    if given["text_embeddings"] is None or given["video_embeddings"] is None:
        raise ItemError("give a cost, or text_embeddings and video_embeddings")
    text, video = (
        matrix(given["text_embeddings"], "text_embeddings"),
        matrix(given["video_embeddings"], "video_embeddings"),
    )
    if text.shape[1] != video.shape[1]:
        raise ItemError("text_embeddings and video_embeddings must be of one length")
    _check_size((len(text), len(video)))
    directions = [np.stack([unit(row, "an embedding") for row in rows]) for rows in (text, video)]
    cost = minmax(1.0 - directions[0] @ directions[1].T)
    for name, weight in (("times", params.gamma), ("positions", params.eta)):
        if given[name] is None:
            continue
        if attention is None or attention.shape != cost.shape:
            raise ItemError(f"{name} needs attention of tokens to patches", param="attention")
        places = np.asarray([np.atleast_1d(place) for place in given[name]], dtype=np.float64)
        if len(places) != cost.shape[1]:
            raise ItemError(f"{name} must have one entry a patch", param=name)
        cost = cost + weight * minmax(_compute_distances(attention, places))
    return cost


def _compute_distances(attention: FloatArray, places: NDArray[np.float64]) -> FloatArray:
    """[tokens, patches] distance of a token's attention-weighted mean place to each patch."""
    totals = attention.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, attention / np.where(totals > 0, totals, 1.0), 1.0 / attention.shape[1])
    means = shares @ places
    return np.asarray(np.sqrt(((means[:, None, :] - places[None, :, :]) ** 2).sum(axis=2)))
