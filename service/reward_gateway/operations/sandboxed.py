"""What a sandbox answers to :class:`.needs.RunSandboxed`, read the same way by every operation that runs code.

One mapping a program: ``ok`` (it ended by itself, in time, without an error), ``value`` (what it gave: JSON; for
``sql`` the rows), ``error`` (a short reason without paths: ``timeout``, ``memory``, or the exception's name and text).

A ``python`` program defines ``main(value)``, which is called once with its input and whose result is the value.
A ``sql`` program is one query, its input the database's name; it runs read-only, on a copy.
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

    @classmethod
    def of(cls, answer: "Mapping[str, Any] | SandboxResult") -> "SandboxResult":
        if isinstance(answer, SandboxResult):
            return answer
        return cls(bool(answer.get("ok")), answer.get("value"), answer.get("error"))
