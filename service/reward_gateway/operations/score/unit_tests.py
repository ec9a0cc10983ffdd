"""Unit tests: the share of tests that a program passes."""

from typing import Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..credit.verpo import SOURCE
from ..effects import Effectful, RunSandboxed, perform
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, operation
from ..sandboxed import SandboxResult


class Params(OperationParams):
    how: Literal["share", "all"] = Field("share", description="share: of the tests passed. all: 1 if all, else 0.")
    timeout_s: float = Field(5.0, gt=0, le=60, description="Time for one test, without what it waits for a CPU.")


class Item(OperationItem):
    passed: list[bool | float | None] | None = Field(
        None, description="One verdict per test, null if missing. If omitted: `program` and `tests` are run."
    )
    program: str | None = Field(None, description="Python program, for the sandbox where there are no verdicts.")
    tests: list[str] | None = Field(
        None, description="Pieces of Python that follow the program and raise where it fails, one a test."
    )
    compiled: bool | None = Field(
        None, description="Whether the program compiled; false passes no test. If omitted: true."
    )


@operation("score", "unit_tests", item=Item, params=Params, source=SOURCE, fidelity="second-hand")
def unit_tests(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Share of unit tests that a program passes, or 1 if it passes them all.

    Give `passed`, a verdict a test, or `program` and `tests` (each a piece of Python that follows the program and
    raises where it fails), which run in the sandbox, one by one. A program that did not compile (`compiled: false`)
    passes none; a test without a verdict (null) counts as not passed. No tests are an item error. Details:
    `passed` (0 or 1 a test, a row of `credit/verpo`'s matrix), `success` (all passed), `errors`.
    """
    given, programs, tests = (columns.objects(name) for name in ("passed", "program", "tests"))
    compiled = columns.objects("compiled")
    verdicts: list[list[int]] = [[] for _ in range(columns.size)]
    errors: list[list[str | None]] = [[] for _ in range(columns.size)]
    invalid: dict[int, Invalid] = {}
    texts: list[str] = []
    owners: list[int] = []
    for i in range(columns.size):
        if given[i] is not None and len(given[i]):
            verdicts[i] = [int(bool(verdict)) for verdict in given[i]]
        elif programs[i] is not None and tests[i]:
            texts += [f"{programs[i]}\n\n{test}\n\ndef main(value):\n    return True\n" for test in tests[i]]
            owners += [i] * len(tests[i])
        else:
            invalid[i] = invalid_field("give passed, or program and tests, with at least one test", "passed")
    run = RunSandboxed("python", texts, [None] * len(texts), params.timeout_s)
    answers = (yield from perform(run)) if texts else []
    for i, answer in zip(owners, answers, strict=True):
        if isinstance(answer, Invalid):
            invalid.setdefault(i, answer)
            continue
        result = SandboxResult.of(answer)
        verdicts[i].append(int(result.ok))
        errors[i].append(result.error)
    for i, built in enumerate(compiled):
        if built is not None and not built:
            verdicts[i] = [0] * len(verdicts[i])
    success = [bool(own) and all(own) for own in verdicts]
    share = np.array([sum(own) / len(own) if own else np.nan for own in verdicts])
    reward = share if params.how == "share" else np.where(np.isnan(share), np.nan, np.array(success, dtype=np.float64))
    return Outcome(reward=reward, details={"passed": verdicts, "success": success, "errors": errors}, invalid=invalid)
