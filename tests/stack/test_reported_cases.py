"""Inputs made from public bug reports of other projects, on the shipped recipes.

One a line of ``reported_cases.jsonl``: where it is sent, what is wanted, why, and the address of a report of its kind.
``want`` is the reward of each sample, a number where the entry answers one, the code of the samples' error, or
``equal``, ``different`` and ``scored``: what the rewards of the samples are.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.conftest import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

CASES = [json.loads(line) for line in Path(__file__).with_name("reported_cases.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_what_users_of_other_services_reported_is_right_here(stack: "Stack", case: dict[str, Any]) -> None:
    answer = httpx.post(f"{stack.http}{case['path']}", json=case["body"], timeout=120)
    assert answer.status_code == 200, answer.text
    body, want = answer.json(), case["want"]
    if isinstance(want, int | float):
        assert body["reward"] == pytest.approx(want), case["why"]
        return
    rewards = [result["reward"] for result in body["results"]]
    if isinstance(want, list):
        assert rewards == pytest.approx(want, abs=1e-5), case["why"]
    elif want in ("equal", "different", "scored"):
        assert None not in rewards, case["why"]
        different = len({round(reward, 5) for reward in rewards})
        assert want == "scored" or different == (1 if want == "equal" else len(rewards)), case["why"]
    else:
        assert {result["error"]["code"] for result in body["results"]} == {want}, case["why"]
