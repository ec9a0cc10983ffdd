"""Limits of time that follow how long right answers to a problem take: names, reasons, and what is told of them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
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
    description="Factor of a shorter limit of time: once 20 programs have passed the same tests, a test has their p99 "
    "times this (at least 0.5 s, at most `timeout_s`). A program that is stopped by it has no score (`timeout`), where "
    "its time decides. Counted by each process. If omitted: none has.",
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


def note_passing(
    factor: float | None, problems: Mapping[int, str], results: Mapping[int, TestResults | Invalid]
) -> Effectful[None]:
    """Tell how long the programs took that passed all their tests, where limits are wanted."""
    if factor is None:
        return
    seconds = {
        row: result.slowest_s
        for row, result in results.items()
        if isinstance(result, TestResults) and result.slowest_s is not None and row in problems and all(result.passed)
    }
    if seconds:
        yield from perform(NotePassingRuns([problems[row] for row in seconds], list(seconds.values())))


def explain_stopped(results: TestResults, limit_s: float | None, timeout_s: float, *, whole: bool) -> Invalid | None:
    """Why a program has no score that its problem's own limit has stopped; None if that decides nothing.

    Args:
        whole: one test that failed decides the score, so that another that was stopped is no matter.
    """
    if limit_s is None or limit_s >= timeout_s or not results.timed_out:
        return None
    if whole and results.failed_by_itself:
        return None
    return Invalid(
        "timeout",
        f"it was stopped after {limit_s:.3g} s for a test, its problem's own limit (adaptive_timeout); what a longer "
        "run would have given is not known",
    )


def tell_limits(size: int, limits: Mapping[int, float]) -> dict[str, Sequence[float | None]]:
    """The detail of ``size`` rows; none where no row has a limit."""
    return {LIMIT_S: [limits.get(row) for row in range(size)]} if limits else {}
