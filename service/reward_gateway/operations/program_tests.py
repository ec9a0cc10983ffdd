"""Tests of programs in the forms of the published data sets: LiveCodeBench, APPS, TACO, CodeContests, PRIME, Eurus.

A test gives a program something on its standard input and expects an output; or calls a function and expects a result.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .outcome import ItemError

MOST_TESTS = 2_000
_GROUPS = ("public_tests", "private_tests", "generated_tests")


@dataclass(slots=True)
class ProgramTests:
    """The tests of one program.

    Attributes:
        inputs: what is written to its standard input; or the arguments of a call.
        outputs: what it should write; or the result.
        fn_name: the function that is called; None: tests of standard input.
        may_wrap: a result may stand in a list of one, as APPS has them.
    """

    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    fn_name: str | None = None
    may_wrap: bool = False

    def __len__(self) -> int:
        return len(self.inputs)


def read_tests(given: Any, fn_name: str | None = None) -> ProgramTests:
    """Read tests in any of the forms, or their JSON text.

    Args:
        given: a list of ``{input, output}``, or ``{inputs, outputs}`` with or without ``fn_name``, or
            ``{public_tests: {input, output}, …}``, or ``{test_cases: […]}``.
        fn_name: the function, where the tests do not name it.

    Raises:
        ItemError: they are none of these, or empty.
    """
    try:
        tests = _read_form(_parse(given), fn_name)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, ItemError):
            raise
        raise ItemError(_NO_FORM, "tests") from None
    if not len(tests):
        raise ItemError("tests: at least one is needed", "tests")
    if len(tests) > MOST_TESTS:
        raise ItemError(f"tests: at most {MOST_TESTS:,}", "tests")
    if tests.fn_name is not None and not (isinstance(tests.fn_name, str) and tests.fn_name.isidentifier()):
        raise ItemError("fn_name: the name of a function is expected", "fn_name")
    return tests


_NO_FORM = "tests: a list of {input, output}, or {inputs, outputs}, is expected"


def _read_form(given: Any, fn_name: str | None) -> ProgramTests:
    if isinstance(given, Mapping):
        return _read_mapping(given, given.get("fn_name") or fn_name)
    if isinstance(given, Sequence) and not isinstance(given, str):
        return _read_cases(given, fn_name)
    raise ItemError(_NO_FORM, "tests")


def _parse(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        raise ItemError("tests: no JSON (tests that are pickled have to be unpacked first)", "tests") from None


def _read_mapping(given: Mapping[str, Any], fn_name: str | None) -> ProgramTests:
    if "test_cases" in given or "tests" in given:
        return read_tests(given.get("test_cases", given.get("tests")), fn_name)
    if any(name in given for name in _GROUPS):
        tests = ProgramTests(fn_name=fn_name)
        for name in _GROUPS:
            group = _parse(given[name]) if given.get(name) else {}
            found = _read_cases(group, fn_name) if isinstance(group, list) else _read_mapping(group, fn_name)
            tests.inputs += found.inputs
            tests.outputs += found.outputs
        return tests
    inputs, outputs = (given.get(name + "s", given.get(name, [])) for name in ("input", "output"))
    if isinstance(inputs, str) and isinstance(outputs, str) and fn_name is None:
        inputs, outputs = [inputs], [outputs]
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise ItemError("tests: inputs and outputs have to be lists of one length", "tests")
    if fn_name is not None:
        return ProgramTests([_read_arguments(value) for value in inputs], list(outputs), fn_name, may_wrap=True)
    return ProgramTests([_join_lines(value) for value in inputs], [_join_lines(value) for value in outputs])


def _read_cases(cases: Sequence[Any], fn_name: str | None) -> ProgramTests:
    """A list of ``{input, output}``; those of a function have their values as JSON, a line each (LiveCodeBench)."""
    tests = ProgramTests()
    for k, case in enumerate(cases):
        if not isinstance(case, Mapping) or "input" not in case or "output" not in case:
            raise ItemError(f"tests[{k}]: an object with input and output is expected", f"tests[{k}]")
        name = case.get("fn_name") or fn_name
        calls = case.get("testtype", case.get("type")) in ("functional", "function_call") or (
            name is not None and case.get("testtype", case.get("type")) is None
        )
        if calls and name is None:
            raise ItemError(f"tests[{k}]: calls a function; give fn_name", "fn_name")
        if k and (name if calls else None) != tests.fn_name:
            raise ItemError(f"tests[{k}]: all tests of a program have to be of one kind", f"tests[{k}]")
        tests.fn_name = name if calls else None
        tests.inputs.append(_read_lines_of_json(case["input"], k) if calls else _join_lines(case["input"]))
        tests.outputs.append(_read_result(case["output"]) if calls else _join_lines(case["output"]))
    return tests


def _read_arguments(value: Any) -> list[Any]:
    """The arguments of a call: a list of them, or lines of JSON."""
    if isinstance(value, str):
        return _read_lines_of_json(value, 0)
    return value if isinstance(value, list) else [value]


def _read_lines_of_json(value: Any, place: int) -> list[Any]:
    if not isinstance(value, str):
        return value if isinstance(value, list) else [value]
    try:
        return [json.loads(line) for line in value.split("\n") if line.strip()]
    except (ValueError, RecursionError):
        raise ItemError(
            f"tests[{place}].input: arguments as JSON, one a line, are expected", f"tests[{place}]"
        ) from None


def _read_result(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _join_lines(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(map(_join_lines, value))
    return json.dumps(value)


_CALL = """
import json
_arguments, _expected = json.loads({arguments!r}), json.loads({expected!r})

def _same(found, expected):
    if isinstance(found, tuple):
        found = list(found)
    if type(found) is bool or type(expected) is bool:
        return type(found) is type(expected) and found == expected
    if isinstance(expected, float) and type(found) in (int, float):
        return found == expected or abs(found - expected) <= max({abs_tol!r}, {rel_tol!r} * abs(expected))
    if type(found) is int and type(expected) is int:
        return found == expected
    if type(found) is float and type(expected) is int:
        return found == expected
    if isinstance(expected, list):
        return type(found) is list and len(found) == len(expected) and all(map(_same, found, expected))
    if isinstance(expected, dict):
        named = {{str(key): value for key, value in found.items()}} if type(found) is dict else None
        return named is not None and named.keys() == expected.keys() and all(
            _same(named[key], expected[key]) for key in expected
        )
    return type(found) is type(expected) and found == expected

_call = getattr(Solution(), {name!r}) if {has_class} else {name}
_found = _call(*_arguments)
if not (_same(_found, _expected) or ({wrapped} and _same(_found, _expected[0]))):
    raise AssertionError("wrong answer")
"""


def write_calls(tests: ProgramTests, rel_tol: float, abs_tol: float) -> list[str]:
    """The tests of a function as pieces of Python that use a program's names.

    APPS wraps what it expects in a list of one: both are accepted where every test has such a list.
    """
    wrapped = tests.may_wrap and all(isinstance(output, list) and len(output) == 1 for output in tests.outputs)
    return [
        _CALL.format(
            arguments=json.dumps(arguments),
            expected=json.dumps(expected),
            name=tests.fn_name,
            has_class='"Solution" in globals()',
            wrapped=wrapped,
            rel_tol=rel_tol,
            abs_tol=abs_tol,
        )
        for arguments, expected in zip(tests.inputs, tests.outputs, strict=True)
    ]
