"""Unsupervised perceptual rewards: how well a frame's features fit the steps that demonstrations went through."""

from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..effects import Effectful
from ..members import entry
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation
from ..stored_sets import read_sets

SOURCE = Source("Unsupervised Perceptual Rewards for Imitation Learning", "https://arxiv.org/abs/1612.06699")

MOST_STEPS = 64


class Params(OperationParams):
    start: int = Field(2, ge=1, description="First step that counts; step 1 is where demonstrations start.")
    floor: float = Field(1e-6, gt=0, description="Least standard deviation of a feature (our choice).")


class StepStatistics(OperationItem):
    mean: list[float] = Field(description="Mean of every feature in this step.")
    std: list[float] = Field(description="Standard deviation of every feature in this step, at least 1e-6 when used.")


class Item(OperationItem):
    features: list[float] = Field(description="Features of the frame.")
    steps: list[StepStatistics] | None = Field(
        None, description="Statistics of every step, at most 64, as long as `features`. If omitted: those of `task`."
    )
    task: str | None = Field(None, description="Name of stored statistics, where `steps` are not given.")


def step_reward(features: FloatArray, mean: FloatArray, std: FloatArray, floor: float) -> float:
    """−mean_j ((s_j − μ_j) / σ_j)², the Gaussian log-likelihood of independent features up to constants."""
    z = (features - mean) / np.maximum(std, floor)
    return -float((z**2).mean())


@operation("score", "perceptual_step", item=Item, params=Params, source=SOURCE, fidelity="recalled")
def perceptual_step(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Dense reward of a frame from per-step feature statistics of demonstrations.

    R_g = −(1/n) Σ_j (s_j − μ_gj)² / σ_gj² for step g; R = Σ_(g ≥ start) R_g · 2^(g−1), so that later steps dominate.
    `start` is 2: step 1 is where demonstrations start. σ is at least 1e-6 (our choice).

    `steps` are the statistics, or `task` names stored ones (fitted by `audit/perceptual_fit`). No step at or after
    `start`, unequal lengths, or over 64 steps are an item error. Details: `steps`, R_g of every step.
    """
    features, given, tasks = columns.objects("features"), columns.objects("steps"), columns.objects("task")
    wanted = [task for task, own in zip(tasks, given, strict=True) if own is None]
    stored = yield from read_sets("perceptual", wanted)

    def compute_row(i: int) -> Row:
        steps = _read_statistics(given[i] if given[i] is not None else stored.get(tasks[i]))
        if len(steps) > MOST_STEPS:
            raise ItemError(f"there are {len(steps)} steps, over {MOST_STEPS}")
        if len(steps) < params.start:
            raise ItemError(f"there are {len(steps)} steps, and none from step {params.start} on")
        frame = np.asarray(features[i], dtype=np.float64)
        if not len(frame) or any(len(part) != len(frame) for step in steps for part in step):
            raise ItemError("features, and the mean and std of every step, must be of one length, at least 1")
        rewards = [step_reward(frame, mean, std, params.floor) for mean, std in steps]
        total = sum(reward * 2.0**place for place, reward in enumerate(rewards) if place + 1 >= params.start)
        return Row(reward=total, details={"steps": rewards})

    return by_row(columns.size, compute_row)


def _read_statistics(steps: Any) -> list[tuple[FloatArray, FloatArray]]:
    if steps is None:
        raise ItemError("give steps, or the name of a task that was fitted")
    named = steps["steps"] if isinstance(steps, dict) else steps
    return [(np.asarray(entry(s, "mean"), np.float64), np.asarray(entry(s, "std"), np.float64)) for s in named]
