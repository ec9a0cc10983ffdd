"""reward-kit posts a conversation and reads a score that says whether it is valid."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

KEYS = {"score", "is_score_valid", "reason", "metrics", "step_outputs", "error"}


def talk(prompt: str, response: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]


@pytest.mark.parametrize("path", ["/reward", "/evaluate", "/reward_kit/reward", "/reward_kit/evaluate"])
async def test_the_last_message_is_scored(http: Any, path: str) -> None:
    found = await http.ok(path, {"messages": talk("Why?", "So."), "ground_truth": None, "kwargs": {}})
    assert set(found) == KEYS
    assert found["score"] == pytest.approx(await http.native("Why?", "So."))
    assert (found["is_score_valid"], found["error"]) == (True, None)
    assert set(found["metrics"]) == {"ratio", "brevity"}


@pytest.mark.parametrize("truth", ["4", 4, [{"role": "assistant", "content": "4"}]])
async def test_the_ground_truth_is_the_reference(http: Any, truth: Any) -> None:
    found = await http.ok("/reward?reward=share", {"messages": talk("2 + 2", "4"), "ground_truth": truth})
    assert found["score"] == 1.0


async def test_a_failed_score_is_an_error_since_no_client_reads_whether_it_is_valid(http: Any) -> None:
    refused = await http.post("/reward", {"messages": talk("p", "bad")})
    assert (refused.status_code, "score" in refused.json()) == (422, False)
    http.models.away = True
    away = await http.post("/reward", {"messages": talk("p", "good")})
    assert (away.status_code, "score" in away.json()) == (503, False)


@pytest.mark.parametrize("messages", [talk("2 + 2", "4"), talk("2 + 2", "4")[1:]])
async def test_the_conversation_itself_is_no_ground_truth(http: Any, messages: list[dict[str, str]]) -> None:
    """What eval-protocol sends where its caller gave none: the messages before the last."""
    answer = await http.post("/reward?reward=share", {"messages": messages, "ground_truth": messages[:-1]})
    assert answer.status_code == 422
    assert "reference" in answer.json()["error"]["message"]


async def test_what_a_user_said_is_no_response(http: Any) -> None:
    for messages in (talk("2 + 2", "4")[:1], [*talk("2 + 2", "5"), {"role": "user", "content": "It is 4"}]):
        answer = await http.post("/reward?reward=begins", {"messages": messages})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "messages")


async def test_no_messages_are_refused(http: Any) -> None:
    answer = await http.post("/reward", {"messages": []})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "messages")
