"""Cases of a file, scored as the service scores them: mathematics in this process, programs in the real sandbox."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reward_gateway.backends.math.comparison import compare_answers
from reward_gateway.backends.sandbox.sandbox import Sandbox
from reward_gateway.operations.apply import apply, run_pure
from reward_gateway.operations.effects import CompareMath, Effect, RunInWorker, RunSandboxed
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import Invalid

SANDBOXED = {"unit_tests", "code_stdio", "sql_execution"}
_AT_ONCE = 16
"""Items of one call: the sandbox runs their programs beside one another."""

Case = dict[str, Any]


def read_cases(file: Path) -> list[Case]:
    """One case a line: ``operation``, ``class``, ``params``, ``item``, and the ``expected`` reward, null for an item
    error."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


async def _answer(effect: Effect[Any], sandbox: Sandbox | None) -> Any:
    if isinstance(effect, CompareMath):
        unread = Invalid("invalid_field", "unreadable", param="reference")
        return [compare_answers(*pair) or unread for pair in effect.pairs]
    if isinstance(effect, RunInWorker):
        return run_pure(effect.work())
    assert isinstance(effect, RunSandboxed)
    assert sandbox is not None
    return await sandbox.run(effect.language, effect.programs, effect.inputs, effect.timeout_s)


async def _score(name: str, items: list[Any], params: dict[str, Any], sandbox: Sandbox | None) -> list[float | None]:
    operation = catalog().get("score", name)
    assert operation is not None
    steps = apply(operation, items, params)
    reply: Any = None
    while True:
        try:
            reply = await _answer(steps.send(reply), sandbox)
        except StopIteration as stop:
            return [result["reward"] for result in stop.value]


async def find_misses(cases: Sequence[Case], sandbox: Sandbox | None) -> list[tuple[Case, float | None]]:
    """The cases that earn something else than expected, with what they earn."""
    together: dict[str, list[Case]] = {}
    for case in cases:
        together.setdefault(f"{case['operation']} {json.dumps(case['params'])}", []).append(case)
    misses = []
    for alike in together.values():
        for start in range(0, len(alike), _AT_ONCE):
            part = alike[start : start + _AT_ONCE]
            rewards = await _score(part[0]["operation"], [case["item"] for case in part], part[0]["params"], sandbox)
            misses += [
                (case, reward) for case, reward in zip(part, rewards, strict=True) if not _is_right(case, reward)
            ]
    return misses


def _is_right(case: Case, reward: float | None) -> bool:
    expected = case["expected"]
    if expected is None or reward is None:
        return reward is expected
    return abs(float(reward) - float(expected)) <= 1e-5
