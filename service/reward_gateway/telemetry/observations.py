"""Scored batches waiting to be processed, and their conversion to columns."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from reward_gateway.observer import ScoredPlan
from reward_gateway.sample import ComponentScores, FloatArray, Invalid, Scored

from .window import LENGTH, REWARD, Column


class Observation(NamedTuple):
    """A scored batch: its arrays, reasons and flag names. ``parts`` holds (raw, value) per component."""

    recipe: str
    version: str
    ensemble: tuple[str, ...]
    audits: tuple[str, ...]
    names: tuple[str, ...]
    reward: FloatArray
    parts: list[tuple[FloatArray, FloatArray]]
    invalid: Mapping[int, Invalid]
    flags: Mapping[int, tuple[str, ...]]
    lengths: FloatArray | None

    @classmethod
    def of(cls, plan: ScoredPlan | None, scored: Scored, lengths: FloatArray | None) -> Self:
        """Build from a batch; nothing is copied. What is no number counts as not observed (NaN)."""
        rows = len(scored.reward)
        return cls(
            scored.recipe,
            scored.version,
            () if plan is None else plan.ensemble,
            () if plan is None else plan.audits,
            tuple(scored.components),
            _as_numbers(scored.reward, rows),
            [_as_pair(part, rows) for part in scored.components.values()],
            scored.invalid,
            scored.flags,
            None if lengths is None else _as_numbers(lengths, rows),
        )


def _as_pair(part: ComponentScores, rows: int) -> tuple[FloatArray, FloatArray]:
    value = _as_numbers(part.value, rows)
    if part.skipped is not None:
        value = np.where([by is None for by in part.skipped], value, np.nan)
    return (value if part.raw is part.value else _as_numbers(part.raw, rows)), value


def _as_numbers(values: Any, rows: int) -> FloatArray:
    """[rows] float64, the values themselves where they are that; NaN for each that is no number.

    The rows of many requests are processed together, so that one odd value would cost the others theirs.
    """
    if isinstance(values, np.ndarray) and values.dtype == np.float64 and values.shape == (rows,):
        return values
    numbers = np.full(rows, np.nan)
    for row, value in zip(range(rows), values if np.iterable(values) else (), strict=False):
        if isinstance(value, (int, float, np.number)) and np.isrealobj(value):
            with contextlib.suppress(OverflowError):
                numbers[row] = value
    return numbers


def columns_of(batches: Sequence[Observation]) -> dict[Column, FloatArray]:
    """Concatenate batches with the same components into columns.

    The reward of an invalid row becomes NaN, even if the caller has replaced it by a number meanwhile.
    """
    first = batches[0]
    reward = np.concatenate([batch.reward for batch in batches])
    rows = len(reward)
    columns = {REWARD: reward, LENGTH: np.concatenate([_response_lengths(batch) for batch in batches])}
    for k, name in enumerate(first.names):
        columns[Column("value", name)] = np.concatenate([batch.parts[k][1] for batch in batches])
        if first.parts[k][0] is not first.parts[k][1]:
            columns[Column("raw", name)] = np.concatenate([batch.parts[k][0] for batch in batches])
        if name in first.audits:
            columns[Column("audit", name)] = columns[Column("value", name)]

    def mark_row(column: Column, row: int) -> None:
        if column not in columns:
            columns[column] = np.zeros(rows)
        columns[column][row] = 1.0

    start = 0
    for batch in batches:
        for row, reason in batch.invalid.items():
            reward[start + row] = np.nan
            mark_row(Column("invalid", reason.code), start + row)
        for row, flags in batch.flags.items():
            for flag in flags:
                mark_row(Column("flag", flag), start + row)
        start += len(batch.reward)
    return columns


def _response_lengths(batch: Observation) -> FloatArray:
    return np.full(len(batch.reward), np.nan) if batch.lengths is None else batch.lengths
