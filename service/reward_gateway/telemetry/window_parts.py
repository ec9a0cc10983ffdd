"""Mergeable parts of a recipe's window: the summary of one process and one minute."""

import sys
from collections.abc import Sequence
from typing import Any, cast

import msgspec
import numpy as np

from reward_gateway.sample import FloatArray

from . import sketches
from .sketches import Summary
from .statistics import measure_agreement, rank_correlation, sum_spread
from .window import LENGTH, REWARD, Column, Columns, Stage, missing_value

PAIRS = 512
"""Rows whose reward and length, or reward and audit, are kept: a uniform random sample of the rows of a part or
window that have both."""


class WindowPart(msgspec.Struct, array_like=True):
    """Summary of a set of rows.

    Attributes:
        rows: number of samples.
        scores: the reward and the components' numbers, by stage and name.
        marks: number of samples without a score by code, and of flagged ones by guard, by stage and name.
        spread, spread_rows: sum over rows of the standard deviation over an ensemble's members, and their number.
        pairs: [k, 3] float64 as bytes: a random priority, reward and length of the rows with the lowest priorities.
        audits: by component, likewise of reward and audit; and the number of rows that have both.
    """

    rows: int = 0
    scores: dict[str, Summary] = {}
    marks: dict[str, int] = {}
    spread: float = 0.0
    spread_rows: int = 0
    pairs: bytes = b""
    audits: dict[str, tuple[int, bytes]] = {}


def part_of(columns: Columns, ensemble: tuple[str, ...], random: np.random.Generator) -> WindowPart:
    """Summarise columns of rows as a part."""
    rows = len(columns[REWARD])
    scores, marks = {}, {}
    for column, values in columns.items():
        if column.stage in ("reward", "value", "raw"):
            scores[_encode_column(column)] = sketches.summarise_values(values)
        elif column.stage in ("flag", "invalid"):
            marks[_encode_column(column)] = int(np.count_nonzero(values))
    spread, spread_rows = sum_spread([columns[Column("value", n)] for n in ensemble if Column("value", n) in columns])
    priorities = random.random(rows)
    pairs = _pair_rows(priorities, columns[REWARD], columns[LENGTH])
    audits = {}
    for column, values in columns.items():
        if column.stage == "audit":
            compared = _pair_rows(priorities, columns[REWARD], values)
            audits[column.name] = len(compared), _keep_lowest(compared)
    return WindowPart(rows, scores, marks, spread, spread_rows, _keep_lowest(pairs), audits)


def merge_parts(parts: Sequence[WindowPart]) -> WindowPart:
    """Merge parts into one."""
    if len(parts) == 1:
        return parts[0]
    by_key: dict[str, list[Summary]] = {}
    marks: dict[str, int] = {}
    for part in parts:
        for key, summary in part.scores.items():
            by_key.setdefault(key, []).append(summary)
        for key, count in part.marks.items():
            marks[key] = marks.get(key, 0) + count
    pairs = np.concatenate([np.empty((0, 3)), *(_decode_pairs(part.pairs) for part in parts)])
    audits: dict[str, tuple[int, bytes]] = {}
    for name in dict.fromkeys(name for part in parts for name in part.audits):
        found = [part.audits[name] for part in parts if name in part.audits]
        kept = np.concatenate([_decode_pairs(packed) for _, packed in found])
        audits[name] = sum(count for count, _ in found), _keep_lowest(kept)
    return WindowPart(
        sum(part.rows for part in parts),
        {key: sketches.merge_summaries(summaries) for key, summaries in by_key.items()},
        marks,
        min(sum(part.spread for part in parts), sys.float_info.max),
        sum(part.spread_rows for part in parts),
        _keep_lowest(pairs),
        audits,
    )


def report_of_parts(
    window: Sequence[WindowPart], reference: Sequence[WindowPart], current: Sequence[WindowPart]
) -> dict[str, Any]:
    """Same as :func:`.report.report_of`, computed from parts.

    Args:
        window: all rows of the window.
        reference: the rows that they are compared with.
        current: the rows of the window that came after the reference.
    """
    window_part, before, now = merge_parts(window), merge_parts(reference), merge_parts(current)

    def describe_column(key: str) -> dict[str, Any]:
        moved = sketches.drift_of_summaries(before.scores.get(key, Summary()), now.scores.get(key, Summary()))
        return {**sketches.describe_summary(window_part.scores[key]), "drift": moved}

    components: dict[str, dict[str, Any]] = {}
    for key in window_part.scores:
        column = _decode_column(key)
        if column.stage != "reward":
            components.setdefault(column.name, {})[column.stage] = describe_column(key)
    pairs = _decode_pairs(window_part.pairs)
    return {
        "samples": window_part.rows,
        "reference_samples": before.rows,
        "reward": describe_column(_encode_column(REWARD)),
        "components": components,
        "invalid": _mark_shares(window_part, "invalid"),
        "flagged": _mark_shares(window_part, "flag"),
        "length_correlation": rank_correlation(pairs[:, 1], pairs[:, 2]),
        "ensemble_disagreement": window_part.spread / window_part.spread_rows if window_part.spread_rows else None,
        "audits": {name: _describe_audit(*audit) for name, audit in window_part.audits.items()},
    }


def take_rows(columns: Columns, start: int, stop: int) -> Columns:
    """The rows ``start:stop``."""
    return {column: values[start:stop] for column, values in columns.items()}


def concatenate_columns(pieces: Sequence[Columns]) -> Columns:
    """Concatenate the rows of all pieces; columns that a piece lacks are filled as missing."""
    if len(pieces) == 1:
        return pieces[0]
    columns = dict.fromkeys(column for piece in pieces for column in piece)
    lengths = [len(piece[REWARD]) for piece in pieces]
    return {
        column: np.concatenate(
            [piece.get(column, np.full(n, missing_value(column))) for piece, n in zip(pieces, lengths, strict=True)]
        )
        for column in columns
    }


def _mark_shares(part: WindowPart, stage: Stage) -> dict[str, float]:
    columns = ((_decode_column(key), count) for key, count in part.marks.items())
    return {column.name: count / part.rows for column, count in columns if column.stage == stage and count}


def _keep_lowest(pairs: FloatArray) -> bytes:
    """Keep the rows with the lowest random priorities: merged over parts, a uniform sample of all rows."""
    if len(pairs) > PAIRS:
        pairs = pairs[np.argpartition(pairs[:, 0], PAIRS)[:PAIRS]]
    return np.ascontiguousarray(pairs, np.float64).tobytes()


def _pair_rows(priorities: FloatArray, reward: FloatArray, other: FloatArray) -> FloatArray:
    """[k, 3] priority, reward and the other number of the rows that have both."""
    pairs = np.stack([priorities, reward, other], axis=1)
    return pairs[np.isfinite(pairs).all(axis=1)]


def _describe_audit(rows: int, packed: bytes) -> dict[str, Any]:
    pairs = _decode_pairs(packed)
    return {**measure_agreement(pairs[:, 1], pairs[:, 2]), "samples": rows}


def _decode_pairs(packed: bytes) -> FloatArray:
    return np.frombuffer(packed, np.float64).reshape(-1, 3)


def _encode_column(column: Column) -> str:
    return f"{column.stage}:{column.name}"


def _decode_column(key: str) -> Column:
    stage, _, name = key.partition(":")
    return Column(cast("Stage", stage), name)
