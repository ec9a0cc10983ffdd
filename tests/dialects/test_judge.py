"""Trainers that ask a judge get a recipe's number in words, or the words of a judge that is configured."""

import base64
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from reward_gateway.sample import Invalid

pytestmark = pytest.mark.anyio


def asked(*messages: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": role, "content": content} for role, content in messages], **fields}


def words(found: dict[str, Any]) -> str:
    text: str = found["choices"][0]["message"]["content"]
    return text


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/judge/v1/chat/completions", "/chat/completions"])
async def test_the_number_follows_final_score(http: Any, path: str) -> None:
    found = await http.ok(path, asked(("user", "Why?"), ("assistant", "It is so.")))
    assert set(found) == {"id", "object", "created", "model", "choices", "usage"}
    number = re.fullmatch(r"Final Score: (-?\d+(?:\.\d+)?)", words(found))
    assert number
    assert float(number[1]) == pytest.approx(await http.native("Why?", "It is so."), abs=1e-5)


async def test_a_recipe_may_have_its_own_words(http: Any) -> None:
    found = await http.ok("/v1/chat/completions", asked(("user", "12"), model="chat"))
    assert words(found) == "[[2]]"


async def test_a_single_message_is_the_response(http: Any) -> None:
    await http.ok("/v1/chat/completions", asked(("user", "Rate this.")))
    assert http.models.seen == [("", "Rate this.")]


async def test_images_are_images_of_the_sample(http: Any) -> None:
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    parts = [{"type": "image_url", "image_url": {"url": url}}] * 2 + [{"type": "text", "text": "Good?"}]
    found = await http.ok("/v1/chat/completions?reward=looks", asked(("user", parts)))
    assert words(found) == "Final Score: 2"


async def test_a_stream_has_the_same_words(http: Any) -> None:
    answer = await http.post("/v1/chat/completions", asked(("user", "12"), stream=True))
    events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    deltas = [json.loads(event)["choices"][0]["delta"].get("content", "") for event in events[:-1]]
    assert "".join(deltas) == words(await http.ok("/v1/chat/completions", asked(("user", "12"))))


async def test_a_failure_is_an_error_and_no_words(http: Any) -> None:
    answer = await http.post("/v1/chat/completions", asked(("user", "bad")))
    assert answer.status_code == 422
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    http.models.away = True
    assert (await http.post("/v1/chat/completions", asked(("user", "good")))).status_code == 503


async def test_more_than_one_choice_is_refused(http: Any) -> None:
    answer = await http.post("/v1/chat/completions", asked(("user", "x"), n=2))
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "n")


class Sage:
    """A judge that repeats the question, or has no answer."""

    names = ("sage", "ratio")

    async def ask(
        self, judge: str, conversations: Sequence[Any], temperature: float | None, deadline: float | None
    ) -> list[str | Invalid]:
        said = [conversation[-1]["content"] for conversation in conversations]
        return [Invalid("judge_error", "no answer") if text == "?" else f"{judge} heard: {text}" for text in said]


async def test_a_judge_answers_by_its_name_where_no_recipe_has_it(http: Any) -> None:
    http.gateway.runtime.judges = Sage()
    assert words(await http.ok("/v1/chat/completions", asked(("user", "x"), model="sage"))) == "sage heard: x"
    assert words(await http.ok("/v1/chat/completions", asked(("user", "x"), model="ratio"))) == "Final Score: 1"
    answer = await http.post("/v1/chat/completions", asked(("user", "?"), model="sage"))
    assert answer.status_code == 503


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
