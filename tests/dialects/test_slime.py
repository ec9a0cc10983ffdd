"""slime and miles post one sample and take the body of the answer as the reward."""

import asyncio
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

SAMPLE = {"prompt": "Why?", "response": "Because.", "label": None}


@pytest.mark.parametrize("path", ["/rm", "/slime/rm", "/score/slime"])
async def test_the_body_is_the_reward(http: Any, path: str) -> None:
    answer = await http.post(path, SAMPLE)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == pytest.approx(await http.native("Why?", "Because."))


async def test_a_key_makes_it_an_object(http: Any) -> None:
    found = await http.ok("/rm?key=score", SAMPLE)
    assert found["score"] == pytest.approx(await http.native("Why?", "Because."))
    assert set(found["components"]) == {"ratio", "brevity"}


async def test_a_prompt_may_be_messages(http: Any) -> None:
    found = await http.ok("/rm", {**SAMPLE, "prompt": [{"role": "user", "content": "Why?"}]})
    assert found == pytest.approx(await http.native("Why?", "Because."))


@pytest.mark.parametrize("label", ["4", 4])
async def test_the_label_is_the_reference(http: Any, label: Any) -> None:
    assert await http.ok("/rm?reward=share", {"prompt": "2 + 2", "response": "4", "label": label}) == 1.0


async def test_a_sample_that_cannot_be_scored_is_an_error_and_no_number(http: Any) -> None:
    answer = await http.post("/rm", {**SAMPLE, "response": "bad"})
    assert answer.status_code == 422
    assert isinstance(answer.json(), dict)
    http.models.away = True
    assert (await http.post("/rm", SAMPLE)).status_code == 503


async def test_a_missing_response_is_named(http: Any) -> None:
    answer = await http.post("/rm", {"prompt": "Why?"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "response")


async def test_a_storm_is_answered_each_with_its_own(http: Any) -> None:
    answers = await asyncio.gather(
        *(http.ok("/rm", {"prompt": "p", "response": "x" * i, "label": None}) for i in range(500))
    )
    assert answers == [pytest.approx(await http.native("p", "x" * i)) for i in range(500)]
