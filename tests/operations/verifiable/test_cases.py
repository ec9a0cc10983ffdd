"""Rules against cases from public bug reports and their neighbourhoods: a table per operation and class.

``cases.jsonl`` has one case per line: the operation, its class, parameters, the item, and the reward that is right.
``neighbours.jsonl`` has more of the same classes, written without a look at the rules: other numbers, mirrored, wrong
ones beside right ones.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.backends.math.comparison import compare_answers
from reward_gateway.backends.sandbox.sandbox import Sandbox, SandboxUnavailable
from reward_gateway.operations.apply import apply, run_pure
from reward_gateway.operations.effects import CompareMath, Effect, RunInWorker, RunSandboxed
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import Invalid

CASES = [
    json.loads(line)
    for name in ("cases.jsonl", "neighbours.jsonl")
    for line in Path(__file__).with_name(name).read_text().splitlines()
]
CLASSES = list(dict.fromkeys((case["operation"], case["class"]) for case in CASES))
SANDBOXED = {"unit_tests", "code_stdio", "sql_execution"}

NOTHING_WRONG_PAID = {
    *("wrong plain maths in <answer>", "unicode & case folding", "integers off by one (exp 0)"),
    *("mc hedges & negation (exp 0)", "fold", "reward hacks (exp 0)", "small magnitudes"),
}
"""Classes in which no wrong answer may earn anything."""

HELD_WRONG: dict[tuple[str, str], str] = {}
"""Cases that we hold to be wrong: (operation, response) -> why."""


async def answer(effect: Effect[Any], sandbox: Sandbox | None) -> Any:
    if isinstance(effect, CompareMath):
        unread = Invalid("invalid_field", "unreadable", param="reference")
        return [compare_answers(*pair) or unread for pair in effect.pairs]
    if isinstance(effect, RunInWorker):
        return run_pure(effect.work())
    assert isinstance(effect, RunSandboxed)
    assert sandbox is not None
    return await sandbox.run(effect.language, effect.programs, effect.inputs, effect.timeout_s)


async def compute_reward(case: dict[str, Any], sandbox: Sandbox | None) -> float | None:
    operation = catalog().get("score", case["operation"])
    assert operation is not None
    steps = apply(operation, [case["item"]], case["params"])
    reply: Any = None
    while True:
        try:
            reply = await answer(steps.send(reply), sandbox)
        except StopIteration as stop:
            reward: float | None = stop.value[0]["reward"]
            return reward


@pytest.fixture(scope="module")
async def sandbox(anyio_backend: str) -> AsyncIterator[Sandbox | None]:
    running = Sandbox()
    try:
        await running.start()
    except SandboxUnavailable:
        yield None
    else:
        yield running
    await running.close()


@pytest.mark.anyio
@pytest.mark.parametrize(("operation", "kind"), CLASSES, ids=lambda value: value)
async def test_every_class_is_right(operation: str, kind: str, sandbox: Sandbox | None) -> None:
    if operation in SANDBOXED and sandbox is None:
        pytest.skip("this machine cannot isolate a program")
    cases = [case for case in CASES if (case["operation"], case["class"]) == (operation, kind)]
    rewards = [await compute_reward(case, sandbox) for case in cases]
    misses = [
        (case["item"], f"expected {case['expected']}", f"got {reward}")
        for case, reward in zip(cases, rewards, strict=True)
        if reward is None or abs(reward - case["expected"]) > 1e-5
        if (operation, case["item"].get("response", "")) not in HELD_WRONG
    ]
    print(f"{operation:>18} {kind:<34} {len(cases) - len(misses):3} of {len(cases):3}")
    assert not misses
    if kind in NOTHING_WRONG_PAID:
        paid = [case for case, reward in zip(cases, rewards, strict=True) if case["expected"] == 0.0 and reward]
        assert not paid


def test_the_cases_cover_every_class_that_is_named() -> None:
    assert {kind for _, kind in CLASSES} >= NOTHING_WRONG_PAID
    assert len(CASES) > 600
