"""Programs that read standard input, or functions, against tests with inputs and outputs."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from reward_gateway.sample import Invalid

from ..answers.fences import canonical_language, last_named_program, last_program
from ..columns import Columns
from ..effects import Effectful, RunSandboxed, perform
from ..names import SandboxName
from ..outcome import ItemError, Outcome, invalid_field
from ..program_tests import MOST_TESTS, ProgramTests, read_tests, write_calls
from ..reading.alternatives import Reference
from ..reading.params import FinalTextParams
from ..registry import OperationItem, Source, operation
from ..sandboxed import SandboxResult, TestResults
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

_FENCES = {"python": "python", "bash": "bash", "node": "javascript", "cpp": "cpp"}
"""Languages by the name that fences have after their aliases are replaced."""
_BY_FENCE = {fence: language for language, fence in _FENCES.items()}

_FORMS = ("inputs", "outputs", "input", "output", "public_tests", "private_tests", "generated_tests", "test_cases")


class SandboxAddress(BaseModel):
    """A remote sandbox, which the operator must have declared with just this address and protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="Its address, as it is declared.")
    protocol: Literal["sandboxfusion", "piston"] = Field(description="What it speaks.")


class Params(FinalTextParams):
    sandbox: SandboxName | SandboxAddress | None = Field(
        None,
        description="A remote sandbox that the operator has declared (`REWARD_GATEWAY_SANDBOXES_FILE`), by its name or "
        "as {url, protocol}. If omitted: the gateway's own.",
    )
    language: Literal["python", "bash", "node", "cpp", "auto"] = Field(
        "python",
        description="Language of the programs; cpp is compiled by g++ (C++17, -O2). auto: the one that the last "
        "fenced block names (cpp, c++, js, node, python …; sh and bash where no block names another), else python.",
    )
    reward: Literal["all", "fraction"] = Field(
        "all", description="all: 1 if every test passes, else 0, and the first failure ends it. fraction: their share."
    )
    timeout_s: float = Field(6.0, gt=0, le=60, description="Time for one test, without what it waits for a CPU.")
    adaptive_timeout: float | None = ADAPTIVE_TIMEOUT
    most_timeouts: int = Field(
        5, ge=1, le=MOST_TESTS, description="After so many tests out of time the others fail without a run."
    )
    rel_tol: float = Field(1e-6, ge=0, le=1, description="Tolerance of decimals, as a share of the expected one.")
    abs_tol: float = Field(1e-9, ge=0, le=1, description="Tolerance of decimals.")


class Item(OperationItem):
    response: str = Field(description="Response with the program in a fenced block, or the program.")
    tests: Any = Field(None, description="A list of {input, output}, or {inputs, outputs}, or its JSON text.")
    fn_name: str | None = Field(None, description="The function to call. If omitted: programs read standard input.")
    checker: str | None = Field(
        None, description="Python that defines `check(input, expected, output)`: whether an output is right."
    )
    inputs: list[Any] | None = Field(None, description="Inputs, or arguments of calls, one a test.")
    outputs: list[Any] | None = Field(None, description="Outputs, or results, one a test.")
    input: list[Any] | None = Field(None, description="As `inputs`.")
    output: list[Any] | None = Field(None, description="As `outputs`.")
    public_tests: Any = Field(None, description="Tests as CodeContests has them: {input, output}.")
    private_tests: Any = Field(None, description="More of them.")
    generated_tests: Any = Field(None, description="More of them.")
    test_cases: Any = Field(None, description="As `tests`.")
    language: str | None = Field(
        None,
        description="Language of the program by any of its names, in place of the parameters' (SYNTHETIC-1 has it).",
    )
    reference: Reference | None = Field(
        None, description="The tests in any of these forms: a list, an object, or the JSON text of either."
    )


@operation(
    "score",
    "code_stdio",
    item=Item,
    params=Params,
    source=Source("LiveCodeBench", "https://github.com/LiveCodeBench/LiveCodeBench"),
    fidelity="recalled",
    rule_fields=("tests", "fn_name", "checker", "language", *_FORMS),
    one_is_list=True,
)
def code_stdio(columns: Columns, params: Params) -> Effectful[Outcome]:
    """1 if a program gives the right output for every input, else 0; or the share of tests that it passes.

    The program is the last fenced block of the response in the `language`, else all of it; it runs in the sandbox, once
    per test, as `score/unit_tests` says. It reads standard input; with `fn_name` that function, or the method of
    `Solution`, is called, in one process for all tests (Python alone). Programs in bash, JavaScript and C++ are run by
    the machine's `bash`, `node` and `g++`: without network and files, except for the machine's own programs and
    libraries, which they may read and start, with 64 processes and threads together. A language whose tool the machine
    has not is an item error, and so is a compiler that fails by itself (out of time or memory). Tests are taken in the
    forms of LiveCodeBench, APPS, TACO, CodeContests, PRIME and Eurus. Outputs are compared line by line and token by
    token: space at the ends of lines and blank lines do not count, decimals are compared with tolerance, whole numbers
    exactly; or by `checker`. Tests that cannot be read are an item error. Details: `passed` (0 or 1 a test), `success`,
    `first_failure` (the place of the first test that failed, from 0, and its `error`: wrong answer, timeout, the
    exception's name, exit status, or compile error and the compiler's words; never what is in the test), `limit_s` (of
    a test, where its problem has a limit of its own).

    With `sandbox` a server of the operator's runs the programs, by SandboxFusion's or Piston's HTTP interface, in the
    languages that it has. Of a test only the input is sent; outputs are compared here. A failure of the server (429,
    5xx, no answer, one that cannot be read) is a retryable item error. A `checker` runs in the gateway's own sandbox
    all the same, and functions (`fn_name`) are called nowhere else.
    """
    programs: dict[int, str] = {}
    languages: dict[int, str] = {}
    tests: dict[int, ProgramTests] = {}
    invalid: dict[int, Invalid] = {}
    for i in range(columns.size):
        try:
            tests[i] = _read_tests(columns, i)
            languages[i], programs[i] = _read_program(
                columns.objects("response")[i],
                tests[i],
                _choose_language(columns.objects("language")[i], params),
                params,
            )
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    checkers = columns.objects("checker")
    results: dict[int, TestResults | Invalid] = {
        i: TestResults([False] * len(tests[i]), ["no program"] * len(tests[i])) for i in programs
    }
    ready = [i for i, program in programs.items() if program.strip()]
    factor = params.adaptive_timeout
    problems = {i: _name_problem(tests[i], languages[i], params) for i in ready} if factor is not None else {}
    limits = yield from find_limits(factor, params.timeout_s, problems)
    called = [i for i in ready if tests[i].fn_name is not None]
    read = [i for i in ready if tests[i].fn_name is None]
    if called:
        inputs: list[Any] = [
            {
                "tests": write_calls(tests[i], params.rel_tol, params.abs_tol),
                "most_timeouts": 1 if params.reward == "all" else params.most_timeouts,
            }
            for i in called
        ]
        own = choose_limits(called, limits)
        run = RunSandboxed("unit_tests", [programs[i] for i in called], inputs, params.timeout_s, limits=own)
        results |= _read_answers(called, tests, (yield from perform(run)))
    if read:
        inputs = [_describe_run(tests[i], languages[i], params, keep=checkers[i] is not None) for i in read]
        chosen = params.sandbox
        sandbox = (chosen.url, chosen.protocol) if isinstance(chosen, SandboxAddress) else chosen
        own = choose_limits(read, limits)
        run = RunSandboxed("stdio", [programs[i] for i in read], inputs, params.timeout_s, sandbox, own)
        results |= _read_answers(read, tests, (yield from perform(run)))
    yield from _check_outputs([i for i in read if checkers[i] is not None], checkers, tests, results, params)
    yield from note_passing(factor, problems, find_passing(results))
    for i, result in results.items():
        if isinstance(result, TestResults):
            stopped = explain_stopped(result, limits.get(i), params.timeout_s, whole=params.reward == "all")
            results[i] = result if stopped is None else stopped
    outcome = _sum_up(columns.size, results, invalid, params)
    outcome.details |= tell_limits(columns.size, limits)
    return outcome


def _name_problem(tests: ProgramTests, language: str, params: Params) -> str:
    """The name of a problem: its tests, and what runs them, on which their time depends."""
    sandbox = params.sandbox.model_dump() if isinstance(params.sandbox, SandboxAddress) else params.sandbox
    return name_problem("code_stdio", language, sandbox, tests.fn_name, tests.inputs, tests.outputs)


def _read_tests(columns: Columns, i: int) -> ProgramTests:
    """The tests of an item. Raises ItemError."""
    name = columns.objects("fn_name")[i]
    given = columns.objects("tests")[i]
    if given is None:
        given = {form: value for form in _FORMS if (value := columns.objects(form)[i]) is not None} or None
    if given is None:
        given = columns.objects("reference")[i]
    if given is None:
        raise ItemError("tests: give them in the item, or as its reference", "tests")
    return read_tests(given, name)


def _choose_language(own: str | None, params: Params) -> str:
    """The item's own language, else that of the parameters. Raises ItemError for one that is not run."""
    if own is None:
        return params.language
    known = _BY_FENCE.get(canonical_language(own))
    if known is None:
        raise ItemError(f"language: known here are {', '.join(_FENCES)}", "language")
    return known


def _read_program(response: str, tests: ProgramTests, language: str, params: Params) -> tuple[str, str]:
    """The language and the program of a response. Raises ItemError if the tests cannot be of that language."""
    if params.sandbox is not None and tests.fn_name is not None:
        raise ItemError("fn_name: functions are called in the gateway's own sandbox; omit sandbox", "fn_name")
    if language == "auto":
        named = None
        if tests.fn_name is None:  # a block of bash beside another says how to run that
            others = _BY_FENCE.keys() - {"bash"}
            named = last_named_program(response, others) or last_named_program(response, ("bash",))
        return (_BY_FENCE[named[0]], named[1]) if named else ("python", last_program(response, "python"))
    if language != "python" and tests.fn_name is not None:
        raise ItemError(f"fn_name: functions are called in Python, not in {language}", "fn_name")
    return language, last_program(response, _FENCES[language])


def _describe_run(tests: ProgramTests, language: str, params: Params, *, keep: bool) -> dict[str, Any]:
    return {
        "language": language,
        "inputs": tests.inputs,
        "outputs": tests.outputs,
        "stop": params.reward == "all",
        "keep": keep,
        "most_timeouts": params.most_timeouts,
        "rel_tol": params.rel_tol,
        "abs_tol": params.abs_tol,
    }


def _read_answers(
    rows: list[int], tests: Mapping[int, ProgramTests], answers: list[Any]
) -> dict[int, TestResults | Invalid]:
    return {
        i: answer if isinstance(answer, Invalid) else TestResults.of(answer, len(tests[i]))
        for i, answer in zip(rows, answers, strict=True)
    }


_CHECK = """

def main(runs):
    verdicts = []
    for given, expected, output in runs:
        try:
            verdicts.append(check(given, expected, output) is True)
        except Exception:
            verdicts.append(False)
    return verdicts if callable(check) else None
"""


def _check_outputs(
    rows: list[int],
    checkers: Any,
    tests: Mapping[int, ProgramTests],
    results: dict[int, TestResults | Invalid],
    params: Params,
) -> Effectful[None]:
    """Have the items' checkers judge the outputs of programs that ended well, which stand where errors do."""
    asked: list[tuple[int, TestResults, list[int]]] = []
    for i in rows:
        result = results[i]
        if isinstance(result, TestResults) and (ended := [k for k, ok in enumerate(result.passed) if ok]):
            asked.append((i, result, ended))
    if not asked:
        return
    runs = [[[tests[i].inputs[k], tests[i].outputs[k], result.errors[k]] for k in ended] for i, result, ended in asked]
    programs = [f"{checkers[i]}{_CHECK}" for i, _, _ in asked]
    answers = yield from perform(RunSandboxed("python", programs, runs, params.timeout_s))
    for (i, result, ended), answer in zip(asked, answers, strict=True):
        if isinstance(answer, Invalid):
            results[i] = answer
            continue
        checked = SandboxResult.of(answer)
        if not checked.ok or not isinstance(checked.value, list) or len(checked.value) != len(ended):
            results[i] = invalid_field(f"checker: it failed ({checked.error})", "checker")
            continue
        for k, right in zip(ended, checked.value, strict=True):
            result.passed[k], result.errors[k] = right is True, None if right is True else "wrong answer"


def _sum_up(
    size: int, results: Mapping[int, TestResults | Invalid], invalid: dict[int, Invalid], params: Params
) -> Outcome:
    reward = np.full(size, np.nan)
    passed: list[list[int] | None] = [None] * size
    success: list[bool | None] = [None] * size
    failures: list[dict[str, Any] | None] = [None] * size
    for i, result in results.items():
        if isinstance(result, Invalid):
            invalid[i] = result
            continue
        passed[i] = [int(ok) for ok in result.passed]
        success[i] = all(result.passed)
        reward[i] = float(all(result.passed)) if params.reward == "all" else sum(result.passed) / len(result.passed)
        if not success[i]:
            place = result.passed.index(False)
            failures[i] = {"test": place, "error": _name_error(result.errors[place])}
    return Outcome(
        reward=reward, details={"passed": passed, "success": success, "first_failure": failures}, invalid=invalid
    )


def _name_error(error: str | None) -> str:
    """What went wrong without any text of the test's: none of the program's but what its compiler says."""
    if error is not None and error.startswith("compile error"):
        return error
    name = (error or "wrong answer").partition(":")[0]
    return "wrong answer" if name == "AssertionError" else name
