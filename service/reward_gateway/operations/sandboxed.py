"""What a sandbox answers to :class:`.effects.RunSandboxed`, read the same way by every operation that runs code.

One mapping a program: ``ok`` (it ended by itself, in time, without an error), ``value`` (what it gave: JSON; for
``sql`` the rows), ``error`` (a short reason without paths: ``timeout``, ``memory``, or the exception's name and text).

A ``python`` program defines ``main(value)``, which is called once with its input and whose result is the value.
A ``sql`` program is one query, its input a database: the name of a stored one, or the database itself
(``{schema, rows}``). It runs read-only, on a copy. Where the database cannot be built, ``error`` begins with
``database:``: no fault of the query.
A ``unit_tests`` program is a Python program, its input ``{tests, most_timeouts}``: pieces of Python that use its names
and raise where it fails. The value is one ``[passed, error]`` per test. The tests run in a process apart from the
program's, which cannot see them.
A ``stdio`` program reads standard input and writes its output, its input ``{language, inputs, outputs, stop, keep,
most_timeouts, rel_tol, abs_tol}``; it runs once per input, in ``python`` (the default), ``bash``, ``node`` or ``cpp``.
The value is as that of ``unit_tests``; with ``keep`` outputs are not compared, and stand where the errors of runs do
that ended well. With ``stop`` nothing is run after the first failure.
Beside the value stands ``slowest_s``, the longest time of a test, query or program, where that is known.

A program that was not run for no fault of its own (code is not allowed here, the deadline passed, the sandbox failed)
is answered by an :class:`reward_gateway.sample.Invalid`: its item has no score, never a bad one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BROKEN_TEST = "broken test: "
"""How the error of a test begins that is no Python, or no test: no fault of the program."""


@dataclass(frozen=True, slots=True)
class SandboxResult:
    """How one program ended."""

    ok: bool
    value: Any = None
    error: str | None = None

    @property
    def bad_database(self) -> bool:
        return (self.error or "").startswith("database:")

    @classmethod
    def of(cls, answer: "Mapping[str, Any] | SandboxResult") -> "SandboxResult":
        if isinstance(answer, SandboxResult):
            return answer
        return cls(bool(answer.get("ok")), answer.get("value"), answer.get("error"))


@dataclass(frozen=True, slots=True)
class TestResults:
    """How each test of a program went.

    Attributes:
        passed: [t] whether it passed.
        errors: [t] why it did not.
        slowest_s: the longest time of a test, in seconds; None if it is not known.
    """

    passed: list[bool]
    errors: list[str | None]
    slowest_s: float | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any], count: int) -> "TestResults":
        """Read an answer for a program with ``count`` tests. One that failed as a whole has failed every test."""
        result = SandboxResult.of(answer)
        if not result.ok or not isinstance(result.value, list) or len(result.value) != count:
            return cls([False] * count, [result.error] * count)
        slowest_s = answer.get("slowest_s") if isinstance(answer, Mapping) else None
        return cls([ok is True for ok, _ in result.value], [error for _, error in result.value], slowest_s)

    @property
    def timed_out(self) -> bool:
        """Whether a test ran out of time."""
        return "timeout" in self.errors

    @property
    def failed_by_itself(self) -> bool:
        """Whether a test failed for another reason than that its time, or that of those before it, was over."""
        failed = (error or "" for ok, error in zip(self.passed, self.errors, strict=True) if not ok)
        return any(error != "timeout" and not error.startswith("not run") for error in failed)

    @property
    def broken(self) -> int | None:
        """The first test that cannot be run, whatever the program is."""
        faults = (k for k, error in enumerate(self.errors) if error is not None and error.startswith(BROKEN_TEST))
        return next(faults, None)
