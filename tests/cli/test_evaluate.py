"""``evaluate PAIRS``: preferences of a file, scored by a running service, as a report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

PAIRS = [
    {
        "prompt": f"p{i}",
        "chosen": "w " * (1 + i % 3),
        "rejected": "w " * (1 + (i * 7) % 5),
        "subset": "odd" if i % 2 else "even",
    }
    for i in range(60)
]


def write_lines(name: str, rows: list[dict[str, Any]]) -> Path:
    path = Path(name)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_reward_is_measured_on_pairs(run: Run, service: Any) -> None:
    write_lines("pairs.jsonl", PAIRS)
    ended = run("evaluate", "pairs.jsonl", "--reward", "brief", "--url", service.url, "--batch", 16)

    assert ended.code == 0, ended.err
    report = json.loads(Path("pairs.evaluation/report.json").read_text())
    lengths = [(i % 3, (i * 7) % 5) for i in range(60)]
    right = [1.0 if a < b else 0.5 if a == b else 0.0 for a, b in lengths]
    (reward,) = report["rewards"]
    assert (reward["name"], reward["samples"], reward["invalid"]) == ("brief", 120, 0)
    assert reward["accuracy"]["value"] == pytest.approx(sum(right) / 60)
    assert reward["accuracy"]["ties"] == right.count(0.5)
    assert [subset["name"] for subset in reward["subsets"]] == ["even", "odd"]
