"""Limits of time that follow how long right answers to a problem take: names, reasons, and what is told of them."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field

from reward_gateway.sample import Invalid

from .effects import Effectful, FindTimeLimits, NotePassingRuns, perform
from .sandboxed import TestResults

LIMIT_S = "limit_s"
"""The detail that tells the limit of a row, where it had one of its problem's own."""

ADAPTIVE_TIMEOUT: Any = Field(
    None,
    ge=1,
    le=100,
    description="Factor of a shorter limit of time: once 20 programs have passed the same tests (queries: given the "
    "right rows; reward programs: ended well), one test has their p99 times this, at least 0.5 s and at most "
    "`timeout_s`. A program that is stopped by it has no score (`timeout`), where its time decides. Counted by each "
    "process. If omitted: none has.",
)


def name_problem(*parts: Any) -> str:
    """A short name of a problem, by the content of what defines it."""
    return hashlib.blake2b(json.dumps(parts, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()


def find_limits(factor: float | None, timeout_s: float, problems: Mapping[int, str]) -> Effectful[dict[int, float]]:
    """The limits of the rows whose problems have one; no factor: none has."""
    if factor is None or not problems:
        return {}
    found = yield from perform(FindTimeLimits(list(problems.values()), factor, timeout_s))
    return {row: limit_s for row, limit_s in zip(problems, found, strict=True) if limit_s is not None}


def choose_limits(rows: Iterable[int], limits: Mapping[int, float]) -> list[float | None] | None:
    """The limits of the programs of some rows, as the sandbox takes them; None where no row has one."""
    return [limits.get(row) for row in rows] if limits else None


def note_passing(factor: float | None, problems: Mapping[int, str], seconds: Mapping[int, float]) -> Effectful[None]:
    """Tell how long the programs of some rows took, which passed, where limits are wanted."""
    rows = [row for row in seconds if row in problems]
    if factor is not None and rows:
        yield from perform(NotePassingRuns([problems[row] for row in rows], [seconds[row] for row in rows]))


def find_passing(results: Mapping[int, TestResults | Invalid]) -> dict[int, float]:
    """The slowest test of the programs that passed all their tests, in seconds, where it is known."""
    return {
        row: result.slowest_s
        for row, result in results.items()
        if isinstance(result, TestResults) and result.slowest_s is not None and all(result.passed)
    }


def explain_stopped(results: TestResults, limit_s: float | None, timeout_s: float, *, whole: bool) -> Invalid | None:
    """Why a program has no score that its problem's own limit has stopped; None if that decides nothing.

    Args:
        whole: one test that failed decides the score, so that another that was stopped is no matter.
    """
    if not results.timed_out or (whole and results.failed_by_itself):
        return None
    return explain_timeout(limit_s, timeout_s)


def explain_timeout(limit_s: float | None, timeout_s: float) -> Invalid | None:
    """Why what ran out of time has no score; None if it had all the time that there is."""
    if limit_s is None or limit_s >= timeout_s:
        return None
    return Invalid(
        "timeout",
        f"it was stopped after {limit_s:.3g} s, its problem's own limit (adaptive_timeout); what a longer run would "
        "have given is not known",
    )


def merge_limits(*tables: Mapping[int, float]) -> dict[int, float]:
    """The shortest of the limits of each row."""
    shortest: dict[int, float] = {}
    for table in tables:
        for row, limit_s in table.items():
            shortest[row] = min(limit_s, shortest.get(row, limit_s))
    return shortest


def tell_limits(size: int, limits: Mapping[int, float]) -> dict[str, Sequence[float | None]]:
    """The detail of ``size`` rows; none where no row has a limit."""
    return {LIMIT_S: [limits.get(row) for row in range(size)]} if limits else {}
