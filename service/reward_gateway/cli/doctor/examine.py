"""Runs all checks side by side, each within its time."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from . import checks
from .bounded import run_bounded
from .check import MACHINE, SERVICE, Finding, Level, Subject, fault, warning


class Row(NamedTuple):
    """A line of the output."""

    check: str
    level: Level
    message: str


def examine(subject: Subject) -> list[Row]:
    """What the checks of a machine, or of the service that ``subject`` names, found."""
    checks.load_all()
    chosen = SERVICE if subject.url else MACHINE
    # A list, so that what a generator does is done in its thread.
    found = run_bounded([partial(lambda run: list(run(subject)), check.run) for check in chosen], subject.timeout_s)
    return [
        Row(check.name, finding.level, " ".join(finding.message.split()))
        for check, result in zip(chosen, found, strict=True)
        for finding in _read(result, subject)
    ]


def _read(result: Sequence[Finding] | Exception | None, subject: Subject) -> Iterator[Finding]:
    if result is None:
        yield warning(f"not known: the check did not end within {subject.timeout_s:g} s; give it more with --timeout")
    elif isinstance(result, Exception):
        # Its message may hold an address with a password.
        yield fault(f"not known: the check itself failed ({type(result).__name__}); please report this")
    else:
        yield from result
