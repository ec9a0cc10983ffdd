"""Outcomes and values of a step, row by row: spread over the batch, checked, summed."""

from typing import Any

import numpy as np

from reward_gateway.operations.apply import RECIPE_DETAILS
from reward_gateway.operations.outcome import Outcome
from reward_gateway.sample import FloatArray

from .column_binder import Value


def is_absent(value: Any) -> bool:
    """True where a row has no value: None or NaN."""
    return value is None or bool(np.ndim(value) == 0 and np.isnan(value))


def spread_outcome(outcome: Outcome, rows: list[int], size: int) -> Outcome:
    """An outcome over some rows as one over the whole batch of ``size``; the other rows have NaN or None."""
    if len(rows) == size:
        return outcome
    reward = None
    if outcome.reward is not None:
        reward = np.full(size, np.nan)
        reward[rows] = outcome.reward
    rewards = None
    if outcome.rewards is not None:
        rewards = [None] * size
        for k, i in enumerate(rows):
            rewards[i] = outcome.rewards[k]
    spread = Outcome(reward, rewards, fallback=outcome.fallback)
    for name in RECIPE_DETAILS & outcome.details.keys():
        column: list[Any] = [None] * size
        for k, i in enumerate(rows):
            column[i] = outcome.details[name][k]
        spread.details[name] = column
    return spread


def sum_magnitudes(vector: Any) -> float:
    """A number that is finite only if every entry of a vector is; nested vectors (a map, row by row) included."""
    if vector is None:
        return np.nan
    return float(sum(np.sum(np.abs(np.asarray(part, dtype=np.float64))) for part in vector))


def zeros_like(vector: Any) -> Any:
    """A vector of zeros, or nested ones, of the same lengths."""
    return [zeros_like(part) if np.ndim(part) else 0.0 for part in vector]


def sum_vectors(value: Value) -> FloatArray:
    """A component's number [n] in the answer; for vectors their sums."""
    if not isinstance(value, list):
        return value
    return np.array([np.nan if vector is None else float(np.sum(vector)) for vector in value])
