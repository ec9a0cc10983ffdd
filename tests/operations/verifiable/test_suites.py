"""Rules against cases of our own, written from the published definitions: a table per operation and class.

``suites/NAME.jsonl`` has one case per line: the operation, its class, parameters, the item, the reward that is right
(null: an item error), and ``source``, where the rule is published. ``suites/common.json`` has fields that all items of
a suite share. The verdicts of ``instructions`` are those of the published verifiers of IFEval and IFBench.
"""

import json
from pathlib import Path

import pytest
from reward_gateway.backends.sandbox.sandbox import Sandbox

from .scoring import SANDBOXED, Case, find_misses, read_cases

FOLDER = Path(__file__).with_name("suites")
COMMON = json.loads((FOLDER / "common.json").read_text())


def read_suite(name: str) -> list[Case]:
    cases = read_cases(FOLDER / f"{name}.jsonl")
    return [{**case, "item": {**COMMON.get(name, {}), **case["item"]}} for case in cases]


SUITES = {file.stem: read_suite(file.stem) for file in sorted(FOLDER.glob("*.jsonl"))}
CLASSES = [
    (name, *found)
    for name, cases in SUITES.items()
    for found in dict.fromkeys((case["operation"], case["class"]) for case in cases)
]


@pytest.mark.anyio
@pytest.mark.parametrize(("suite", "operation", "kind"), CLASSES, ids=lambda value: value)
async def test_every_class_is_right(suite: str, operation: str, kind: str, sandbox: Sandbox | None) -> None:
    if operation in SANDBOXED and sandbox is None:
        pytest.skip("this machine cannot isolate a program")
    cases = [case for case in SUITES[suite] if (case["operation"], case["class"]) == (operation, kind)]
    misses = await find_misses(cases, sandbox)
    print(f"{operation:>18} {kind:<42} {len(cases) - len(misses):3} of {len(cases):3}")
    assert not [(case["params"], case["item"], case["expected"], reward) for case, reward in misses]


@pytest.mark.parametrize("suite", ["code_stdio", "instructions", "sql", "tool_calls"])
def test_a_suite_has_sixty_cases_and_half_of_them_are_wrong(suite: str) -> None:
    wrong = sum(case["expected"] == 0 for case in SUITES[suite])
    assert len(SUITES[suite]) >= 60
    assert 0.4 <= wrong / len(SUITES[suite]) <= 0.7


def test_every_case_says_where_its_rule_is_published() -> None:
    assert all(case["source"] for cases in SUITES.values() for case in cases)
