"""How answers were judged stands among what trainers log: the same names for every sample, numbers and no text."""

import json
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

NAMES = {
    *(f"correct/by_{by}" for by in ("exact", "rational", "symbolic", "numeric", "text")),
    *("correct/several_answers", "correct/matched", "correct/unfinished_reasoning"),
}
RESPONSES = ["$0.5$", "<think>a half, secretly", "1/2 or 1/3", "a half"]
SAID = [
    {"correct/by_rational", "correct/matched"},
    {"correct/unfinished_reasoning"},
    {"correct/by_symbolic", "correct/several_answers"},
]
"""What the first three are judged by."""


def true_of(row: dict[str, float]) -> set[str]:
    assert set(row) == NAMES
    assert set(row.values()) <= {0.0, 1.0}
    return {name for name, value in row.items() if value}


async def test_openrlhf_logs_a_list_per_verdict(http: Any) -> None:
    body = {
        "query": [f"?{response}" for response in RESPONSES],
        "prompts": ["?"] * 4,
        "labels": [["1/4", "1/2"]] * 4,
    }
    logs = (await http.ok("/get_reward?reward=judged", body))["extra_logs"]
    assert set(logs) == {"correct", *NAMES}
    for i, said in enumerate(SAID):
        assert true_of({name: logs[name][i] for name in NAMES}) == said


async def test_dialects_of_one_sample_tell_it_in_their_own_form(http: Any) -> None:
    asked = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": RESPONSES[0]}]}
    (row,) = await http.ok("/r/judged/nova", [{"id": "1", **asked, "reference_answer": ["1/4", "1/2"]}])
    metrics = {metric["name"]: metric["value"] for metric in row["metrics_list"] if metric["type"] == "Metric"}
    assert true_of(metrics) == SAID[0]

    found = (await http.ok("/reward?reward=judged", {**asked, "ground_truth": ["1/4", "1/2"]}))["metrics"]
    assert found.pop("correct")["score"] == 1.0
    assert true_of({name: metric["score"] for name, metric in found.items()}) == SAID[0]

    sample = {"prompt": "?", "response": RESPONSES[0], "label": ["1/4", "1/2"]}
    assert true_of((await http.ok("/r/judged/rm?key=score", sample))["verdicts"]) == SAID[0]

    vertex = {
        "example": {"contents": [{"role": "user", "parts": [{"text": "?"}]}], "references": {"answer": "1/2"}},
        "response": {"parts": [{"text": RESPONSES[0]}]},
    }
    told = json.loads((await http.ok("/r/judged/vertex", vertex))["user_requested_aux_info"])
    assert told.pop("correct") == 1.0
    assert true_of(told) == {"correct/by_rational"}


async def test_nemo_gym_averages_them(http: Any) -> None:
    rows = [
        await http.ok(
            "/r/judged/verify",
            {
                "responses_create_params": {"input": "?"},
                "response": {
                    "output": [
                        {
                            "type": "message",
                            "role": "assistant",
                            "content": [{"type": "output_text", "text": response}],
                        }
                    ]
                },
                "expected_answer": "1/2",
            },
        )
        for response in RESPONSES[:2]
    ]
    assert true_of(rows[1]["verdicts"]) == SAID[1]
    means = await http.ok("/aggregate_metrics", {"verify_responses": rows})
    assert means["verdicts"]["correct/by_rational"] == 0.5
    assert means["agent_metrics"]["mean/correct/unfinished_reasoning"] == 0.5
