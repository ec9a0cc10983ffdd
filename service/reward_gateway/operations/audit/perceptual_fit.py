"""Fitting perceptual rewards: steps found in demonstrations, and the features that tell them apart."""

from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..members import matrix
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, operation
from ..score.perceptual_step import MOST_STEPS, SOURCE

LARGEST = 4096
"""Most frames of a demonstration."""


class Params(OperationParams):
    steps: int = Field(3, ge=1, le=MOST_STEPS, description="Steps that a demonstration goes through.")
    alpha: float = Field(5.0, gt=0, description="How much the gap of means counts against the spreads.")
    top: int = Field(32, ge=1, description="Features that are kept.")


class Item(OperationItem):
    demos: list[list[list[float]]] = Field(
        description="Demonstrations [demos][frames][features], frames of one length; at most 4,096 frames."
    )


def split_costs(frames: FloatArray) -> FloatArray:
    """[n − 1] summed spread (count · mean feature std) of both sides for a cut after each frame but the last."""
    ahead, behind = _cumulative_spreads(frames), _cumulative_spreads(frames[::-1])[::-1]
    return np.asarray(ahead[:-1] + behind[1:])


def _cumulative_spreads(frames: FloatArray) -> FloatArray:
    """[n] count · mean feature std of the first 1, 2, … n frames."""
    counts = np.arange(1, len(frames) + 1)[:, None]
    centred = frames - frames.mean(axis=0)
    means = np.cumsum(centred, axis=0) / counts
    variances = np.cumsum(centred**2, axis=0) / counts - means**2
    return np.asarray(counts[:, 0] * np.sqrt(np.clip(variances, 0.0, None)).mean(axis=1))


def segments(frames: FloatArray, steps: int) -> list[tuple[int, int]]:
    """Half-open ranges of frames: the cut that lowers the summed spread most is made until there are ``steps``."""
    ranges = [(0, len(frames))]
    while len(ranges) < steps:
        best: tuple[float, int, int] | None = None
        for place, (start, end) in enumerate(ranges):
            if end - start < 2:
                continue
            part = frames[start:end]
            costs = split_costs(part)
            cut = int(costs.argmin())
            gain = float(_cumulative_spreads(part)[-1] - costs[cut])
            if best is None or gain > best[0]:
                best = (gain, place, start + cut + 1)
        if best is None:
            raise ItemError(f"a demonstration of {len(frames)} frames cannot have {steps} steps", param="demos")
        _, place, cut = best
        start, end = ranges[place]
        ranges[place : place + 1] = [(start, cut), (cut, end)]
    return ranges


def feature_score(inside: FloatArray, outside: FloatArray, alpha: float) -> FloatArray:
    """[d] z = α·|μ⁺ − μ⁻| − (σ⁺ + σ⁻): how well a feature tells a step's frames from the others."""
    gap = np.abs(inside.mean(axis=0) - outside.mean(axis=0))
    return np.asarray(alpha * gap - (inside.std(axis=0) + outside.std(axis=0)))


@operation(
    "audit",
    "perceptual_fit",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="recalled",
    cost=Cost(row=500.0, unit=0.5, times=lambda params: params.steps**2),
)
def perceptual_fit(columns: Columns, params: Params) -> Outcome:
    """Steps of a task, from the frames' features of a few demonstrations: what `score/perceptual_step` takes.

    Each demonstration (frames, each a list of features) is cut into `steps` parts, greedily where the summed spread
    (mean std of the features) within the parts falls most. Features are scored z = α·|μ⁺ − μ⁻| − (σ⁺ + σ⁻), α = 5, a
    step's frames against all others, and the `top` (32) by their best step are kept. Statistics of a step pool its
    frames over the demonstrations (population std).

    The reward is the mean z of the kept features (0 with one step: there is nothing to tell apart). Details: `steps`
    (mean and std over the kept features), `features` (their places, rising), `boundaries` (first frames of the parts,
    a demonstration), `scores` (z of the kept features in their best step). Fewer frames than steps, over 4,096 frames,
    or frames of unequal length are an item error.
    """
    given = columns.objects("demos")

    def compute_row(i: int) -> Row:
        demos = [matrix(frames, "a demonstration") for frames in given[i]]
        if not demos or len({demo.shape[1] for demo in demos}) > 1:
            raise ItemError("there must be demonstrations, all with frames of one length", param="demos")
        if any(len(demo) > LARGEST for demo in demos):
            raise ItemError(f"a demonstration has at most {LARGEST} frames", param="demos")
        cuts = [segments(demo, params.steps) for demo in demos]
        steps = [
            np.concatenate([demo[slice(*own[g])] for demo, own in zip(demos, cuts, strict=True)])
            for g in range(params.steps)
        ]
        kept, scores = _select_features(steps, params)
        statistics: list[dict[str, Any]] = [
            {"mean": step[:, kept].mean(axis=0).tolist(), "std": step[:, kept].std(axis=0).tolist()} for step in steps
        ]
        return Row(
            reward=float(scores.mean()),
            details={
                "steps": statistics,
                "features": kept.tolist(),
                "boundaries": [[start for start, _ in own] for own in cuts],
                "scores": scores.tolist(),
            },
        )

    return by_row(columns.size, compute_row)


def _select_features(steps: list[FloatArray], params: Params) -> tuple[Any, FloatArray]:
    """The places of the kept features, rising, and their scores."""
    if len(steps) == 1:
        kept = np.arange(min(params.top, steps[0].shape[1]))
        return kept, np.zeros(len(kept))
    others = [np.concatenate([step for k, step in enumerate(steps) if k != g]) for g in range(len(steps))]
    z = np.max([feature_score(a, b, params.alpha) for a, b in zip(steps, others, strict=True)], axis=0)
    kept = np.sort(np.argsort(-z, kind="stable")[: params.top])
    return kept, z[kept]
