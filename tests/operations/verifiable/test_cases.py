"""Rules against cases from public bug reports and their neighbourhoods: a table per operation and class.

``cases.jsonl`` has one case per line: the operation, its class, parameters, the item, and the reward that is right.
``neighbours.jsonl`` has more of the same classes, written without a look at the rules: other numbers, mirrored, wrong
ones beside right ones.
"""

from pathlib import Path

import pytest
from reward_gateway.backends.sandbox.sandbox import Sandbox

from .scoring import SANDBOXED, find_misses, read_cases

CASES = [case for name in ("cases.jsonl", "neighbours.jsonl") for case in read_cases(Path(__file__).with_name(name))]
CLASSES = list(dict.fromkeys((case["operation"], case["class"]) for case in CASES))

NOTHING_WRONG_PAID = {
    *("wrong plain maths in <answer>", "unicode & case folding", "integers off by one (exp 0)"),
    *("mc hedges & negation (exp 0)", "fold", "reward hacks (exp 0)", "small magnitudes"),
}
"""Classes in which no wrong answer may earn anything."""

HELD_WRONG: dict[tuple[str, str], str] = {}
"""Cases that we hold to be wrong: (operation, response) -> why."""


@pytest.mark.anyio
@pytest.mark.parametrize(("operation", "kind"), CLASSES, ids=lambda value: value)
async def test_every_class_is_right(operation: str, kind: str, sandbox: Sandbox | None) -> None:
    if operation in SANDBOXED and sandbox is None:
        pytest.skip("this machine cannot isolate a program")
    cases = [case for case in CASES if (case["operation"], case["class"]) == (operation, kind)]
    found = await find_misses(cases, sandbox)
    misses = [
        (case["item"], f"expected {case['expected']}", f"got {reward}")
        for case, reward in found
        if (operation, case["item"].get("response", "")) not in HELD_WRONG
    ]
    print(f"{operation:>18} {kind:<34} {len(cases) - len(misses):3} of {len(cases):3}")
    assert not misses
    if kind in NOTHING_WRONG_PAID:
        assert not [case for case, reward in found if case["expected"] == 0.0 and reward]


def test_the_cases_cover_every_class_that_is_named() -> None:
    assert {kind for _, kind in CLASSES} >= NOTHING_WRONG_PAID
    assert len(CASES) > 600
