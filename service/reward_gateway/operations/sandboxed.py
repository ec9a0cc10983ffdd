"""What a sandbox answers to :class:`.effects.RunSandboxed`, read the same way by every operation that runs code.

One mapping a program: ``ok`` (it ended by itself, in time, without an error), ``value`` (what it gave: JSON; for
``sql`` the rows), ``error`` (a short reason without paths: ``timeout``, ``memory``, or the exception's name and text).

A ``python`` program defines ``main(value)``, which is called once with its input and whose result is the value.
A ``sql`` program is one query, its input a database: the name of a stored one, or the database itself
(``{schema, rows}``). It runs read-only, on a copy. Where the database cannot be built, ``error`` begins with
``database:``: no fault of the query.

A program that was not run for no fault of its own (code is not allowed here, the deadline passed) is answered by an
:class:`reward_gateway.sample.Invalid`: its item has no score, never a bad one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
