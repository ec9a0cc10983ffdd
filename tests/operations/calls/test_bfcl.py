"""score/tool_calls beside the published checker of the Berkeley Function Calling Leaderboard, on inputs of our own.

`bfcl_cases.jsonl` has what `ast_checker` of bfcl-eval 2026.3.23 says of each (Python, the categories parallel and
multiple); `bfcl_tools.json` the tools.
"""

import json
from pathlib import Path
from typing import Any

import pytest

CASES = [json.loads(line) for line in (Path(__file__).parent / "bfcl_cases.jsonl").read_text().splitlines()]
TOOLS = json.loads((Path(__file__).parent / "bfcl_tools.json").read_text())

OTHERWISE = {
    '[{"name": "plot", "arguments": {"points": [1.5, 2, 3.25]}}]': "2 is 2.0 in a list of numbers, too, as outside one",
    '[{"name": "weather.now", "arguments": {"city": "Rome"}}, '
    '{"name": "weather.now", "arguments": {"city": "Oslo"}}]': (
        "Rome fits both right calls and Oslo only the first, so both are right; bfcl-eval takes the first that fits"
    ),
    '[{"name": "weather_now", "arguments": {"city": "Paris"}}]': (
        "names with dots are written with underscores where an interface has no dots; bfcl-eval knows by the model"
    ),
}
"""Calls that are right here and wrong there, and why."""
GREEDY = [{"weather.now": {"city": ["Rome", "Oslo"]}}, {"weather.now": {"city": ["Rome"]}}]


def differs(case: Any) -> bool:
    written = json.dumps(case["calls"])
    return written in OTHERWISE and ("Oslo" not in written or case["reference"] == GREEDY)


def write_hermes(calls: Any) -> str:
    return "\n".join(f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in calls)


def write_python(calls: Any) -> str:
    written = (f"{one['name']}({', '.join(f'{k}={v!r}' for k, v in one['arguments'].items())})" for one in calls)
    return f"[{', '.join(written)}]"


@pytest.mark.parametrize("write", [json.dumps, write_hermes, write_python])
def test_the_verdict_is_that_of_bfcl(call: Any, write: Any) -> None:
    items = [{"response": write(case["calls"]), "reference": case["reference"], "tools": TOOLS} for case in CASES]
    results = call("score/tool_calls", *items)
    told = [bool(case["bfcl"]) or differs(case) for case in CASES]
    assert [(case["calls"], result["reward"]) for case, result in zip(CASES, results, strict=True)] == [
        (case["calls"], float(right)) for case, right in zip(CASES, told, strict=True)
    ]


def test_the_cases_are_many_and_half_of_them_wrong() -> None:
    right = sum(case["bfcl"] for case in CASES)
    assert len(CASES) >= 60
    assert 0.35 <= right / len(CASES) <= 0.65
    assert sum(map(differs, CASES)) == len(OTHERWISE)
