"""GRAPHIA: text that proposes nodes or edges of a social graph, judged by the graph and by a graph network."""

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ..columns import Columns
from ..members import matrix
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "GRAPHIA: Harnessing Social Graph Data to Enhance LLM-Based Social Simulation", "https://arxiv.org/abs/2510.24251"
)

DstReward = Literal[
    "overlap", "5_overlap", "weight", "gnn", "gnn_curriculum", "gnn_curriculum_reverse", "gnn_weight", "hit", "likr"
]
EdgeReward = Literal["correct", "gnn", "gnn_curriculum", "gnn_curriculum_reverse"]


def curriculum(step: int, reverse: bool = False) -> float:
    """Weight of the ground truth at a training step: a(t) = max(min(.01 t, 5), 1); reverse: 6 − a(t)."""
    weight = max(min(0.01 * step, 5.0), 1.0)
    return 6.0 - weight if reverse else weight


class DstParams(OperationParams):
    reward_type: DstReward = Field("5_overlap", description="Which reward is given.")
    format_bonus: bool = Field(True, description="Add 1 where the tags of the text parse.")
    alpha: float = Field(0.5, ge=0, le=1, description="Weight of the similarity (weight, likr).")
    mu_sim: float | None = Field(None, description="Mean similarity over the data set (weight).")
    sigma_sim: float | None = Field(None, gt=0, description="Standard deviation of it (weight).")
    later_weight: float = Field(0.2, description="Weight of candidates from dx_src on; the function's own default: .3.")

    @model_validator(mode="after")
    def _weight_needs_the_similarities(self) -> Self:
        if self.reward_type == "weight" and (self.mu_sim is None or self.sigma_sim is None):
            raise ValueError("reward_type weight needs mu_sim and sigma_sim, the statistics of the similarities")
        return self


class DstItem(OperationItem):
    candidates: list[int | str] = Field(description="Proposed destination nodes, best first.")
    gt: list[int | str] | None = Field(None, description="Destinations of the ground truth.")
    gnn_probs: list[float] | None = Field(None, description="Link probability of every candidate.")
    dx_src: int | None = Field(None, description="Number of leading candidates of full weight.")
    step: int | None = Field(None, description="Training step (the curricula).")
    format_ok: bool = Field(True, description="Whether the text's tags parsed; false scores 0. If omitted: true.")
    similarity: float | None = Field(None, description="Mean inner product of candidates' and true nodes' features.")
    candidate_features: list[list[float]] | None = Field(
        None, description="Feature vectors of the candidates, with gt_features in place of `similarity`."
    )
    gt_features: list[list[float]] | None = Field(None, description="Feature vectors of the true nodes.")


@operation("score", "graphia_dst", item=DstItem, params=DstParams, source=SOURCE, fidelity="verified")
def graphia_dst(columns: Columns, params: DstParams) -> Outcome:
    """Reward of proposed destination nodes against the true ones and a graph network's plausibility.

    With C the candidates, GT the true nodes, overlap = |set(C) ∩ set(GT)|:

    - `overlap`; `5_overlap` = 5 · overlap (default); `hit` = 1 if overlap > 0
    - `weight` = int((1−α) · 20 · overlap / |GT| + α · 20 · (s̄ − μ) / σ), truncated toward 0, α = .5; s̄ is `similarity`
      (or the mean inner product of the two feature lists), μ and σ are params; with C or GT empty the second term is 0
    - `gnn` = Σ w_i p_i, w = 1 for i < dx_src and .2 after
    - `gnn_curriculum` = gnn + a(t) · overlap, a(t) = max(min(.01 t, 5), 1); `gnn_curriculum_reverse` takes 6 − a(t)
    - `gnn_weight` = gnn + 5 · overlap
    - `likr` = (1−α) · 1[a true node among the first 10] + α · s̄

    Plus 1 for tags that parse (`format_bonus`). Text that does not parse (`format_ok` false) scores 0 in everything.
    Duplicates collapse; an empty GT makes the ratio 0; no `gt` at all leaves the gnn kinds to the graph network alone.
    A missing value that the kind needs, or probabilities of another count than the candidates: an item error.

    Details: `overlap`, `hit`, `gnn` (null without probabilities), `a` (null without a step), `format`.
    """
    rows = columns.rows(DstItem.model_fields)
    return by_row(columns.size, lambda i: _score_destinations(rows[i], params))


def _score_destinations(item: dict[str, Any], params: DstParams) -> Row:
    if item["format_ok"] is False:
        return Row(reward=0.0, details={"overlap": 0, "hit": 0, "gnn": 0.0, "a": None, "format": 0})
    truth = None if item["gt"] is None else set(item["gt"])
    overlap = len(set(item["candidates"]) & truth) if truth is not None else 0
    gnn = plausibility(item, params.later_weight)
    reward = _dst_reward(item, truth, overlap, gnn, params)
    return Row(
        reward=reward + (1.0 if params.format_bonus else 0.0),
        details={
            "overlap": overlap if truth is not None else None,
            "hit": int(overlap > 0) if truth is not None else None,
            "gnn": gnn,
            "a": None if item["step"] is None else curriculum(item["step"]),
            "format": 1,
        },
    )


def _dst_reward(
    item: dict[str, Any], truth: set[int | str] | None, overlap: int, gnn: float | None, params: DstParams
) -> float:
    kind = params.reward_type
    if kind.startswith("gnn"):
        if gnn is None:
            raise ItemError(f"reward_type {kind} needs gnn_probs and dx_src")
        if truth is None or kind == "gnn":
            return gnn
        if kind == "gnn_weight":
            return gnn + 5.0 * overlap
        return gnn + step_weight(item["step"], kind == "gnn_curriculum_reverse") * overlap
    if truth is None:
        raise ItemError(f"reward_type {kind} needs gt, the true destinations", param="gt")
    match kind:
        case "overlap":
            return float(overlap)
        case "hit":
            return float(overlap > 0)
        case "weight":
            return _compute_weight_reward(item, truth, overlap, params)
        case "likr":
            found = bool(set(item["candidates"][:10]) & truth)
            return (1 - params.alpha) * found + params.alpha * similarity(item)
        case _:
            return 5.0 * overlap


def _compute_weight_reward(item: dict[str, Any], truth: set[int | str], overlap: int, params: DstParams) -> float:
    assert params.mu_sim is not None
    assert params.sigma_sim is not None
    ratio = (1 - params.alpha) * 20 * overlap / len(truth) if truth else 0.0
    near = 0.0
    if truth and item["candidates"]:
        near = params.alpha * 20 * (similarity(item) - params.mu_sim) / params.sigma_sim
    return float(np.trunc(ratio + near))


def step_weight(step: int | None, reverse: bool) -> float:
    """The curriculum's weight; an ItemError without a step."""
    if step is None:
        raise ItemError("the curriculum needs step, the training step", param="step")
    return curriculum(step, reverse)


def plausibility(item: dict[str, Any], later_weight: float) -> float | None:
    """Σ w_i p_i of the graph network's probabilities; None where the item lacks them."""
    probs, head = item["gnn_probs"], item["dx_src"]
    if probs is None or head is None:
        return None
    if len(probs) != len(item["candidates"]):
        raise ItemError(
            f"{len(item['candidates'])} candidates have {len(probs)} gnn_probs; give one each", param="gnn_probs"
        )
    if head < 0:
        raise ItemError("dx_src counts candidates, and cannot be below 0", param="dx_src")
    return float(sum(probs[:head]) + later_weight * sum(probs[head:]))


def similarity(item: dict[str, Any]) -> float:
    """s̄, given or as the mean inner product of candidates' and true nodes' features."""
    if item["similarity"] is not None:
        return float(item["similarity"])
    if not item["candidate_features"] or not item["gt_features"]:
        raise ItemError("give similarity, or candidate_features and gt_features")
    ours, true = matrix(item["candidate_features"], "candidate_features"), matrix(item["gt_features"], "gt_features")
    if ours.shape[1] != true.shape[1]:
        raise ItemError("candidate_features and gt_features must be of one width")
    # The mean of all inner products is the inner product of the means.
    return float(ours.mean(axis=0) @ true.mean(axis=0))


class EdgeParams(OperationParams):
    reward_type: EdgeReward = Field("gnn_curriculum", description="Which reward is given.")


class EdgeItem(OperationItem):
    label: int | str = Field(description="The edge's label as the text chose it.")
    gt: int | str | None = Field(None, description="True label.")
    gnn_prob: float | None = Field(None, description="The graph network's probability of the chosen label.")
    gnn_probs: dict[str, float] | None = Field(None, description="Probability by label, in place of gnn_prob.")
    step: int | None = Field(None, description="Training step (the curricula).")
    format_ok: bool = Field(True, description="Whether the text's tags parsed; false scores 0. If omitted: true.")


@operation("score", "graphia_edge", item=EdgeItem, params=EdgeParams, source=SOURCE, fidelity="verified")
def graphia_edge(columns: Columns, params: EdgeParams) -> Outcome:
    """Reward of a proposed edge label against the true one and a graph network's probability of it.

    - `gnn_curriculum` (default) = p + a(t) · 1[label = gt], a(t) = max(min(.01 t, 5), 1)
    - `gnn_curriculum_reverse` takes 6 − a(t); `gnn` = p; `correct` = 1[label = gt]

    p is `gnn_prob`, or `gnn_probs` at the chosen label (0 if it is not there). Without `gt` the gnn kinds are p alone.
    Text that does not parse (`format_ok` false) scores 0; there is no bonus for the format. A missing value that the
    kind needs is an item error. Details: `correct`, `gnn`.
    """
    rows = columns.rows(EdgeItem.model_fields)
    return by_row(columns.size, lambda i: _score_edge(rows[i], params))


def _score_edge(item: dict[str, Any], params: EdgeParams) -> Row:
    if item["format_ok"] is False:
        return Row(reward=0.0, details={"correct": 0, "gnn": 0.0})
    correct = None if item["gt"] is None else int(item["label"] == item["gt"])
    prob = item["gnn_prob"]
    if prob is None and item["gnn_probs"] is not None:
        prob = item["gnn_probs"].get(str(item["label"]), 0.0)
    kind = params.reward_type
    if kind == "correct":
        if correct is None:
            raise ItemError("reward_type correct needs gt, the true label", param="gt")
        reward = float(correct)
    elif prob is None:
        raise ItemError(f"reward_type {kind} needs gnn_prob or gnn_probs")
    elif kind == "gnn" or correct is None:
        reward = prob
    else:
        reward = prob + step_weight(item["step"], kind == "gnn_curriculum_reverse") * correct
    return Row(reward=reward, details={"correct": correct, "gnn": prob})
