"""Runs programs in bash, node and C++ as tests do: what they answered, wrote, or failed for.

Containers without the right to make namespaces have all other mechanisms.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from reward_gateway.backends.sandbox.languages import LANGUAGES, find_tool
from reward_gateway.backends.sandbox.sandbox import Sandbox, can_execute

from .sandboxes import start_sandbox

EXECUTING_SETS = ("all", "no namespaces")


@asynccontextmanager
async def start_executing(mechanisms: Sequence[str]) -> AsyncIterator[Sandbox]:
    """A sandbox that executes the machine's own programs; the tests are skipped where none does."""
    async with start_sandbox(mechanisms) as made:
        if not can_execute(made.in_force):
            pytest.skip(f"no program of the machine is executed here (in force: {made.in_force})")
        yield made


def needs(language: str) -> None:
    if find_tool(language) is None:
        pytest.skip(f"this machine has no {LANGUAGES[language].tool}")


async def answer(
    sandbox: Sandbox, language: str, program: str, given: str = "", expected: str = "ok", **more: Any
) -> Any:
    needs(language)
    timeout_s, deadline = more.pop("timeout_s", 30.0), more.pop("deadline", None)
    tests = {"inputs": [given], "outputs": [expected], "stop": True, "keep": False, "most_timeouts": 5}
    asked = {"language": language, **tests, "rel_tol": 1e-6, "abs_tol": 1e-9, **more}
    (told,) = await sandbox.run("stdio", [program], [asked], timeout_s, deadline)
    return told


async def run(sandbox: Sandbox, language: str, program: str, given: str = "", expected: str = "ok", **more: Any) -> Any:
    """The verdict of the program's first run: whether it passed, and why it did not."""
    told = await answer(sandbox, language, program, given, expected, **more)
    assert isinstance(told, dict), told
    return told["value"][0]


async def output(sandbox: Sandbox, language: str, program: str, given: str = "", timeout_s: float = 30.0) -> str:
    """What the program writes, which has to end well."""
    passed, text = await run(sandbox, language, program, given, keep=True, timeout_s=timeout_s)
    assert passed, text
    return str(text)


async def attempt(sandbox: Sandbox, language: str, program: str) -> str:
    """What a hostile program writes, or why it failed; it has to have been run."""
    told = str((await run(sandbox, language, program, keep=True))[1])
    assert not told.startswith("compile error"), told
    return told
