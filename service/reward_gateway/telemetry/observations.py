"""Scored batches waiting to be processed, and their conversion to columns."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np

from reward_gateway.observer import ScoredPlan
from reward_gateway.sample import FloatArray, Invalid, Scored

from .window import LENGTH, REWARD, Column


class Observation(NamedTuple):
    """A scored batch: its arrays, reasons and flag names. ``parts`` holds (raw, value) per component."""

    recipe: str
    version: str
    ensemble: tuple[str, ...]
    names: tuple[str, ...]
    reward: FloatArray
    parts: list[tuple[FloatArray, FloatArray]]
    invalid: Mapping[int, Invalid]
    flags: Mapping[int, tuple[str, ...]]
    lengths: FloatArray | None

    @classmethod
    def of(cls, plan: ScoredPlan | None, scored: Scored, lengths: FloatArray | None) -> Self:
        """Build from a batch; nothing is copied."""
        return cls(
            scored.recipe,
            scored.version,
            () if plan is None else plan.ensemble,
            tuple(scored.components),
            scored.reward,
            [(part.raw, part.value) for part in scored.components.values()],
            scored.invalid,
            scored.flags,
            lengths,
        )


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
