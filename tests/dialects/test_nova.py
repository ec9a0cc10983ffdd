"""Amazon's reward Lambda passes on a list of rows, and AWS wants a list of rewards."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


def row(name: Any, question: str, said: str, **fields: Any) -> dict[str, Any]:
    """A row as AWS documents it."""
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": said}]
    return {"id": name, "messages": turns, **fields}


async def test_every_row_has_a_reward_in_order(http: Any) -> None:
    rows = [row("b", "Why?", "Because."), row("a", "p", "x" * 9)]
    found = await http.ok("/nova", rows)
    assert [each["id"] for each in found] == ["b", "a"]
    assert [each["aggregate_reward_score"] for each in found] == [
        pytest.approx(await http.native("Why?", "Because.")),
        pytest.approx(await http.native("p", "x" * 9)),
    ]
    for each in found:
        assert [metric["name"] for metric in each["metrics_list"]] == ["ratio", "brevity"]
        assert all(metric["type"] == "Reward" for metric in each["metrics_list"])


@pytest.mark.parametrize(
    "fields",
    [
        {"reference_answer": "4"},
        {"reference_answer": 4},
        {"reference_answer": ["four", "4"]},
        {"reference_answer": {"answer": "4"}},
        {"reference_answer": {"answer": "4", "explanation": "two and two"}},
        {"metadata": {"reference_answer": "4", "my_key": "sample-001"}},
        {"reference_answer": None, "metadata": {"reference_answer": "4"}},
        {"reference_answer": "4", "metadata": {"reference_answer": "5"}},
    ],
)
async def test_the_reference_stands_at_the_top_or_in_the_metadata(http: Any, fields: Any) -> None:
    (found,) = await http.ok("/nova?reward=share", [row("1", "2 + 2?", "4", **fields)])
    assert found["aggregate_reward_score"] == 1.0


async def test_of_several_values_none_is_guessed_to_be_the_reference(http: Any) -> None:
    rows = [row("1", "2 + 2?", "4", metadata={"reference_answer": {"compliant": "No", "explanation": "x"}})]
    answer = await http.post("/nova?reward=share", rows)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "[0].metadata.reference_answer")


async def test_one_row_without_a_score_fails_the_lambda(http: Any) -> None:
    answer = await http.post("/nova", [row("1", "p", "good"), row("2", "p", "bad")])
    assert answer.status_code == 422
    assert "samples[1]" in answer.json()["error"]["message"]
    http.models.away = True
    assert (await http.post("/nova", [row("1", "p", "good")])).status_code == 503


async def test_the_assistant_speaks_last(http: Any) -> None:
    rows = [row("1", "p", "good"), {"id": "2", "messages": [{"role": "user", "content": "p"}]}]
    answer = await http.post("/nova", rows)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "[1].messages")
    empty = await http.post("/nova", [{"id": "1", "messages": []}])
    assert (empty.status_code, empty.json()["error"]["param"]) == (422, "[0].messages")


async def test_no_key_of_a_row_chooses_the_recipe(http: Any) -> None:
    (found,) = await http.ok("/nova", [row("1", "Why?", "Because.", reward="share", model="share")])
    assert found["aggregate_reward_score"] == pytest.approx(await http.native("Why?", "Because."))


async def test_no_rows_are_no_rewards(http: Any) -> None:
    assert await http.ok("/nova", []) == []
    assert (await http.post("/nova?reward=nobody", [])).status_code == 404


async def test_the_limit_on_samples_holds(speak: Any) -> None:
    async with speak(max_samples=2) as http:
        rows = [row(str(i), "p", "good") for i in range(3)]
        assert (await http.post("/nova", rows)).status_code == 413
        assert len(await http.ok("/nova", rows[:2])) == 2
