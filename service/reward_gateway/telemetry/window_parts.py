"""A part of a recipe's window, as one process saw it in one minute: summaries that can be merged with other parts."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec
import numpy as np

from reward_gateway.sample import FloatArray

from . import sketches
from .sketches import Summary
from .statistics import rank_correlation
from .window import LENGTH, REWARD, Column, Columns, Stage, unseen

PAIRS = 512
"""Rows whose reward and length are kept, drawn evenly from all rows of a part or of a window."""


class WindowPart(msgspec.Struct, array_like=True):
    """What is kept of some rows.

    Attributes:
        rows: samples.
        scores: the reward and the components' numbers, by stage and name.
        marks: samples without a score by code, and flagged ones by guard: how many, by stage and name.
        spread, spread_rows: sum over rows of the standard deviation over an ensemble's members, and of how many rows.
        pairs: [k, 3] float64 as bytes: a random priority, reward and length of the rows with the lowest priorities.
    """

    rows: int = 0
    scores: dict[str, Summary] = {}
    marks: dict[str, int] = {}
    spread: float = 0.0
    spread_rows: int = 0
    pairs: bytes = b""


def part_of(columns: Columns, ensemble: tuple[str, ...], random: np.random.Generator) -> WindowPart:
    """The part that columns of rows make."""
    rows = len(columns[REWARD])
    scores, marks = {}, {}
    for column, values in columns.items():
        if column.stage in ("reward", "value", "raw"):
            scores[_key(column)] = sketches.summarise(values)
        elif column.stage in ("flag", "invalid"):
            marks[_key(column)] = int(np.count_nonzero(values))
    spread, spread_rows = _spread([columns[Column("value", n)] for n in ensemble if Column("value", n) in columns])
    pairs = np.stack([random.random(rows), columns[REWARD], columns[LENGTH]], axis=1)
    return WindowPart(rows, scores, marks, spread, spread_rows, _lowest(pairs[np.isfinite(pairs).all(axis=1)]))


def merge(parts: Sequence[WindowPart]) -> WindowPart:
    """All rows together."""
    if len(parts) == 1:
        return parts[0]
    by_key: dict[str, list[Summary]] = {}
    marks: dict[str, int] = {}
    for part in parts:
        for key, summary in part.scores.items():
            by_key.setdefault(key, []).append(summary)
        for key, count in part.marks.items():
            marks[key] = marks.get(key, 0) + count
    pairs = np.concatenate([np.empty((0, 3)), *(_pairs(part) for part in parts)])
    return WindowPart(
        sum(part.rows for part in parts),
        {key: sketches.merge(summaries) for key, summaries in by_key.items()},
        marks,
        sum(part.spread for part in parts),
        sum(part.spread_rows for part in parts),
        _lowest(pairs),
    )


def report_of_parts(
    window: Sequence[WindowPart], reference: Sequence[WindowPart], current: Sequence[WindowPart]
) -> dict[str, Any]:
    """What :func:`.report.report_of` says of rows, of parts.

    Args:
        window: all rows of the window.
        reference: the rows that they are held against.
        current: the rows of the window that came after the reference.
    """
    whole, before, now = merge(window), merge(reference), merge(current)

    def distribution(key: str) -> dict[str, Any]:
        moved = sketches.drift(before.scores.get(key, Summary()), now.scores.get(key, Summary()))
        return {**sketches.describe(whole.scores[key]), "drift": moved}

    components: dict[str, dict[str, Any]] = {}
    for key in whole.scores:
        column = _column(key)
        if column.stage != "reward":
            components.setdefault(column.name, {})[column.stage] = distribution(key)
    pairs = _pairs(whole)
    return {
        "samples": whole.rows,
        "reference_samples": before.rows,
        "reward": distribution(_key(REWARD)),
        "components": components,
        "invalid": _shares(whole, "invalid"),
        "flagged": _shares(whole, "flag"),
        "length_correlation": rank_correlation(pairs[:, 1], pairs[:, 2]),
        "ensemble_disagreement": whole.spread / whole.spread_rows if whole.spread_rows else None,
    }


def take_rows(columns: Columns, start: int, stop: int) -> Columns:
    """Some of the rows."""
    return {column: values[start:stop] for column, values in columns.items()}


def concatenate(pieces: Sequence[Columns]) -> Columns:
    """The rows of all pieces; where a piece lacks a column, nothing was seen of it."""
    if len(pieces) == 1:
        return pieces[0]
    columns = dict.fromkeys(column for piece in pieces for column in piece)
    lengths = [len(piece[REWARD]) for piece in pieces]
    return {
        column: np.concatenate(
            [piece.get(column, np.full(n, unseen(column))) for piece, n in zip(pieces, lengths, strict=True)]
        )
        for column in columns
    }


def _spread(members: Sequence[FloatArray]) -> tuple[float, int]:
    if len(members) < 2:
        return 0.0, 0
    table = np.stack(members)
    table = table[:, np.isfinite(table).all(axis=0)]
    return float(np.std(table, axis=0).sum()), table.shape[1]


def _shares(part: WindowPart, stage: Stage) -> dict[str, float]:
    shares = {_column(key).name: count / part.rows for key, count in part.marks.items() if _column(key).stage == stage}
    return {name: share for name, share in shares.items() if share > 0}


def _lowest(pairs: FloatArray) -> bytes:
    """Those with the lowest priorities: of a union, a fair sample of the whole."""
    if len(pairs) > PAIRS:
        pairs = pairs[np.argpartition(pairs[:, 0], PAIRS)[:PAIRS]]
    return np.ascontiguousarray(pairs, np.float64).tobytes()


def _pairs(part: WindowPart) -> FloatArray:
    return np.frombuffer(part.pairs, np.float64).reshape(-1, 3)


def _key(column: Column) -> str:
    return f"{column.stage}:{column.name}"


def _column(key: str) -> Column:
    stage, _, name = key.partition(":")
    return Column(cast("Stage", stage), name)
