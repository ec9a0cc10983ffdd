"""Unit tests: the share of tests that a program passes."""

import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from reward_gateway.sample import Invalid

from ..answers.fences import last_program
from ..columns import Columns
from ..credit.verpo import SOURCE
from ..effects import Effectful, RunSandboxed, perform
from ..outcome import ItemError, Outcome, invalid_field
from ..reading.alternatives import Reference
from ..reading.params import FinalTextParams
from ..registry import OperationItem, operation
from ..sandboxed import BROKEN_TEST, TestResults
from ..time_limits import (
    ADAPTIVE_TIMEOUT,
    choose_limits,
    explain_stopped,
    find_limits,
    find_passing,
    name_problem,
    note_passing,
    tell_limits,
)

MOST_TESTS = 2_000


class Params(FinalTextParams):
    how: Literal["share", "all"] = Field("share", description="share: of the tests passed. all: 1 if all, else 0.")
    timeout_s: float = Field(5.0, gt=0, le=60, description="Time for one test, without what it waits for a CPU.")
    most_timeouts: int = Field(
        5,
        ge=1,
        le=MOST_TESTS,
        description="After so many tests that ran out of time or ended the program, the others fail without a run.",
    )

    adaptive_timeout: float | None = ADAPTIVE_TIMEOUT
    sandbox: None = Field(
        None,
        description="Never given: tests run in the gateway's own sandbox alone. A remote one runs a program and its "
        "tests in one process, where the program reads the tests, changes what they use and prints their verdict.",
    )

    @field_validator("sandbox", mode="before")
    @classmethod
    def _refuse_sandbox(cls, given: object) -> None:
        if given is not None:
            raise ValueError(
                "tests run in the gateway's own sandbox alone: in a remote one a program could read them and give the "
                "verdict itself; omit it, or use code_stdio, whose expected outputs stay here"
            )


class Item(OperationItem):
    passed: list[bool | float | None] | None = Field(
        None, description="One verdict per test, null if missing. If omitted: the program is run with its tests."
    )
    program: str | None = Field(None, description="Python program, or text with the program in a fenced block.")
    response: str | None = Field(None, description="Response with the program, where `program` is omitted.")
    tests: list[str] | str | None = Field(
        None, description="Pieces of Python that use the program's names and raise where it fails, one a test."
    )
    entry_point: str | None = Field(
        None, description="Name of the function that tests call as `candidate`, or hand to `check(candidate)`."
    )
    reference: Reference | None = Field(
        None, description="Its tests, as a list or the JSON text of one; or an object with `tests`, `entry_point`."
    )
    compiled: bool | None = Field(
        None, description="Whether the program compiled; false passes no test. If omitted: true."
    )


@operation(
    "score",
    "unit_tests",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    rule_fields=("tests", "entry_point"),
    one_is_list=True,
)
def unit_tests(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Share of unit tests that a program passes, or 1 if it passes them all.

    Give `passed`, a verdict a test; or a program and its tests, each a piece of Python that uses the program's names
    and raises where it fails. The program is the last fenced block in Python of `program` or `response`, else all of
    it. It runs in the sandbox, once for all its tests, with what LeetCode imports before it (`List`, `heapq` …), the
    standard library except what reaches outside, and recursion to 50,000 calls. The tests run in another process, which
    uses the program's functions and classes from there: a program sees the arguments of its calls, never a test or what
    it expects. An object of a class of its own never equals a plain value, whatever its `__eq__` says. A test that
    defines functions `test_…` has them called; with `entry_point`, `check(candidate)` is called. A test that ends the
    process fails alone. A program that did not compile (`compiled: false`) passes none; a test without a verdict (null)
    counts as not passed. No tests are an item error, and so is a test that is no Python. Details: `passed` (0 or 1 a
    test, a row of `credit/verpo`'s matrix), `success` (all passed), `errors`, `limit_s` (of a test, where its problem
    has a limit of its own).
    """
    given = columns.objects("passed")
    verdicts: list[list[int]] = [[] for _ in range(columns.size)]
    errors: list[list[str | None]] = [[] for _ in range(columns.size)]
    invalid: dict[int, Invalid] = {}
    programs: dict[int, str] = {}
    tests: dict[int, list[str]] = {}
    for i in range(columns.size):
        if given[i] is not None and len(given[i]):
            verdicts[i] = [int(bool(verdict)) for verdict in given[i]]
            continue
        try:
            tests[i] = _read_tests(columns, i)
            programs[i] = _read_program(columns, i)
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    rows = [i for i, program in programs.items() if program.strip()]
    factor = params.adaptive_timeout
    problems = {i: name_problem("unit_tests", tests[i]) for i in rows} if factor is not None else {}
    limits = yield from find_limits(factor, params.timeout_s, problems)
    inputs = [{"tests": tests[i], "most_timeouts": params.most_timeouts} for i in rows]
    own = choose_limits(rows, limits)
    run = RunSandboxed("unit_tests", [programs[i] for i in rows], inputs, params.timeout_s, limits=own)
    answers = (yield from perform(run)) if rows else []
    answer_of: dict[int, Mapping[str, Any] | Invalid] = dict(zip(rows, answers, strict=True))
    told: dict[int, TestResults | Invalid] = {}
    for i in programs:
        answer = answer_of.get(i, {"ok": False, "error": "no program"})
        if isinstance(answer, Invalid):
            invalid[i] = answer
            continue
        told[i] = results = TestResults.of(answer, len(tests[i]))
        stopped = explain_stopped(results, limits.get(i), params.timeout_s, whole=params.how == "all")
        if stopped is not None:
            invalid[i] = stopped
        if results.broken is not None:
            why = (results.errors[results.broken] or "").removeprefix(BROKEN_TEST)
            invalid[i] = invalid_field(f"tests[{results.broken}]: no Python: {why}", f"tests[{results.broken}]")
        verdicts[i], errors[i] = [int(passed) for passed in results.passed], results.errors
    yield from note_passing(factor, problems, find_passing(told))
    for i, built in enumerate(columns.objects("compiled")):
        if built is not None and not built:
            verdicts[i] = [0] * len(verdicts[i])
    success = [bool(own) and all(own) for own in verdicts]
    share = np.array([sum(own) / len(own) if own else np.nan for own in verdicts])
    reward = share if params.how == "share" else np.where(np.isnan(share), np.nan, np.array(success, dtype=np.float64))
    details: dict[str, Any] = {
        "passed": verdicts,
        "success": success,
        "errors": errors,
        **tell_limits(columns.size, limits),
    }
    return Outcome(reward=reward, details=details, invalid=invalid)


def _read_program(columns: Columns, i: int) -> str:
    """The program of an item. Raises ItemError without one."""
    for name in ("program", "response"):
        text = columns.objects(name)[i]
        if text is not None:
            return last_program(text, "python")
    raise ItemError("give passed, or a program (or response) and tests", "program")


def _read_tests(columns: Columns, i: int) -> list[str]:
    """The tests of an item, from their field or its reference. Raises ItemError without any."""
    tests = columns.objects("tests")[i]
    if tests is None:
        tests = columns.objects("reference")[i]
    if isinstance(tests, str):
        tests = _parse_tests(tests)
    if tests is None or not tests:
        raise ItemError("give passed, or program and tests, with at least one test", "tests" if tests else "passed")
    if not all(isinstance(test, str) for test in tests):
        raise ItemError("tests: a list of pieces of Python is expected", "tests")
    if len(tests) > MOST_TESTS:
        raise ItemError(f"tests: at most {MOST_TESTS:,}", "tests")
    entry = columns.objects("entry_point")[i]
    if entry is None:
        return list(tests)
    if not entry.isidentifier():
        raise ItemError("entry_point: the name of a function is expected", "entry_point")
    return [f"candidate = {entry}\n{test}{_call_check(test)}" for test in tests]


def _call_check(test: str) -> str:
    return "\ncheck(candidate)\n" if "def check(" in test and "\ncheck(" not in test else ""


def _parse_tests(text: str) -> list[Any]:
    """The tests that a text is: the JSON text of a list, else one test; none if it is blank."""
    if text.lstrip()[:1] == "[":
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, list):
            return value
    return [text] if text.strip() else []
