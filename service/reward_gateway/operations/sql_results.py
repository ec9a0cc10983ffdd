"""Runs pairs of queries in the sandbox and compares the rows that they give."""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from reward_gateway.sample import Invalid

from .answers.fences import find_fences
from .answers.sections import last_tagged
from .effects import Effectful, RunSandboxed, perform
from .outcome import invalid_field
from .sandboxed import SandboxResult

Order = Literal["ordered", "multiset", "set"]
Rows = Sequence[Sequence[Any]]

MOST_ROWS = 10_000
"""Rows that a result may have, unless an operation's parameters say otherwise."""
REL_TOL = 1e-6
"""Tolerance of numbers that are no integers, as a share of the right one."""
_MOST_PAIRED = 300
"""Rows that differ in no exact way and are paired one by one."""

_STARTS = re.compile(r"\s*(?:select|with|values)\b", re.IGNORECASE)
_LINE = re.compile(r"(?:^|:)[ \t]*(?P<query>(?:select|with)\b)", re.IGNORECASE | re.MULTILINE)


def read_query(text: str) -> str:
    """The query in a text: its last fence for SQL (within <answer> or <sql>, if there is one), the text itself, or the
    last of its statements that begins a line, or stands behind a colon; without what ends it."""
    for tag in ("answer", "sql"):
        within = last_tagged(text, tag)
        text = text if within is None else within
    blocks = [block for block in find_fences(text) if block.language in ("sql", "")]
    named = [block for block in blocks if block.language == "sql"] or blocks
    if named:
        return named[-1].content.strip("; \t\n")
    if _STARTS.match(text) is None and (lines := list(_LINE.finditer(text))):
        text = re.split(r";|\n\s*\n", text[lines[-1].start("query") :])[0]
    text = text.strip()
    if text.startswith("`") and text.endswith("`"):  # elsewhere backticks quote names
        text = text.strip("`")
    return text.strip("; \t\n")


@dataclass(frozen=True, slots=True)
class QueryPair:
    """What a predicted query and the right one gave.

    Attributes:
        rows: of the predicted query; None if it failed.
        gold_rows: of the right query.
        error: why the predicted query failed.
        seconds: how long the predicted query took; None if it is not known.
    """

    rows: Rows | None
    gold_rows: Rows
    error: str | None
    seconds: float | None = None


def run_queries(
    pairs: Sequence[tuple[str, str]],
    databases: Sequence[Any],
    timeout_s: float,
    max_rows: int,
    gold: str,
    limits: Mapping[int, float] = MappingProxyType({}),
) -> Effectful[list[QueryPair | Invalid]]:
    """Run pairs of a predicted and a right query, each on its database.

    Args:
        databases: names, or databases themselves.
        gold: the item's field with the right query.
        limits: shorter times of the predicted queries, by their places.

    Returns:
        The reason in place of a pair whose database cannot be built, or whose right query fails.
    """
    queries = [query for pair in pairs for query in pair]
    inputs = [{"database": database, "max_rows": max_rows} for database in databases for _ in (0, 1)]
    own = [limits.get(place) if predicted else None for place in range(len(pairs)) for predicted in (True, False)]
    run = RunSandboxed("sql", queries, inputs, timeout_s, limits=own if limits else None)
    answers = (yield from perform(run)) if queries else []
    return [_read_pair(answers[k], answers[k + 1], gold) for k in range(0, len(answers), 2)]


def _read_pair(predicted: Any, right: Any, gold: str) -> QueryPair | Invalid:
    for answer in (predicted, right):
        if isinstance(answer, Invalid):
            return answer
    result, wanted = SandboxResult.of(predicted), SandboxResult.of(right)
    if result.bad_database or wanted.bad_database:
        return invalid_field(
            "the database is not stored here, or cannot be built from its schema and rows or its file", "database"
        )
    if not wanted.ok:
        reason = wanted.error or ""
        told = reason if "rows" in reason else reason.partition(":")[0]
        return invalid_field(f"the right query failed ({told}), so there is nothing to compare with", gold)
    seconds = predicted.get("slowest_s") if isinstance(predicted, Mapping) else None
    return QueryPair(result.value if result.ok else None, wanted.value, result.error, seconds)


def same_rows(predicted: Rows, gold: Rows, order: Order, rel_tol: float = REL_TOL) -> bool:
    """Whether two results hold the same rows.

    Args:
        order: ordered: row by row. multiset: in any order. set: in any order, and however often.
        rel_tol: tolerance of numbers of which one is no integer.
    """
    given, right = [_row_key(row) for row in predicted], [_row_key(row) for row in gold]
    if order == "ordered":
        return len(given) == len(right) and all(map(_same_row, given, right, [rel_tol] * len(right)))
    a, b = Counter(given), Counter(right)
    if order == "set":
        a, b = Counter(dict.fromkeys(a, 1)), Counter(dict.fromkeys(b, 1))
    if a.total() != b.total() and order == "multiset":
        return False
    rest, wanted = (sorted(counted.elements(), key=_sort_key) for counted in (a - b, b - a))
    if order == "set":  # rows that are equal but for rounding are one
        exact = [list(row) for row in (a & b)]
        return _covers(rest, [*wanted, *exact], rel_tol) and _covers(wanted, [*rest, *exact], rel_tol)
    if len(rest) != len(wanted):
        return False
    if all(_same_row(x, y, rel_tol) for x, y in zip(rest, wanted, strict=True)):
        return True
    return len(rest) <= _MOST_PAIRED and _pairs_up(rest, wanted, rel_tol)


def _row_key(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row to look up: 1 and 1.0 are the same, 1 and "1" are not. Lists and objects are their JSON."""
    return tuple(json.dumps(cell, sort_keys=True) if isinstance(cell, list | dict) else cell for cell in row)


def _sort_key(row: Sequence[Any]) -> list[tuple[str, Any]]:
    """Texts before numbers, so that rounding does not part rows that differ in a text."""
    cells = [(("number" if isinstance(cell, int | float) else type(cell).__name__), cell) for cell in row]
    return [
        *((name, "" if cell is None else cell) for name, cell in cells if name != "number"),
        *((name, cell) for name, cell in cells if name == "number"),
    ]


def _same_row(a: Sequence[Any], b: Sequence[Any], rel_tol: float) -> bool:
    return len(a) == len(b) and all(_same_cell(x, y, rel_tol) for x, y in zip(a, b, strict=True))


def _same_cell(a: Any, b: Any, rel_tol: float) -> bool:
    if a == b:
        return True
    if not (isinstance(a, int | float) and isinstance(b, int | float)) or (isinstance(a, int) and isinstance(b, int)):
        return False
    try:
        return math.isclose(a, b, rel_tol=rel_tol, abs_tol=rel_tol * 1e-6)
    except OverflowError:  # an integer beyond all doubles
        return False


def _covers(rows: Sequence[Sequence[Any]], among: Sequence[Sequence[Any]], rel_tol: float) -> bool:
    if len(rows) > _MOST_PAIRED:
        return False
    return all(any(_same_row(row, other, rel_tol) for other in among) for row in rows)


def _pairs_up(rest: Sequence[Sequence[Any]], wanted: Sequence[Sequence[Any]], rel_tol: float) -> bool:
    """Whether the rows can be paired so that each pair is equal."""
    free = list(wanted)
    for row in rest:
        place = next((k for k, other in enumerate(free) if _same_row(row, other, rel_tol)), None)
        if place is None:
            return False
        del free[place]
    return True
