"""align-anything posts prompts and responses to whichever URL it is given, ``/get_reward`` included."""

from typing import Any

import pytest
from reward_gateway.http.client_profiles import profile_of
from reward_gateway.http.dialects.dialect import DIALECTS

pytestmark = pytest.mark.anyio

PATHS = ["/get_reward", "/align_anything/get_reward", "/align_anything"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_batch_is_scored_in_order(http: Any, path: str) -> None:
    found = await http.ok(path, {"prompts": ["Why?", "p"], "responses": ["Because.", "x" * 9]})
    wanted = [await http.native("Why?", "Because."), await http.native("p", "x" * 9)]
    assert found == {"rewards": pytest.approx(wanted)}


async def test_its_responses_tell_it_from_openrlhf(http: Any) -> None:
    theirs = await http.ok("/get_reward", {"query": ["Why?So."], "prompts": ["Why?"], "labels": [None]})
    assert set(theirs) == {"rewards", "scores", "extra_logs"}
    assert theirs["rewards"] == (await http.ok("/get_reward", {"prompts": ["Why?"], "responses": ["So."]}))["rewards"]
    answer = await http.post("/get_reward", {"prompts": ["Why?"]})
    assert answer.status_code == 422
    assert "query" in answer.json()["error"]["message"]


async def test_each_of_the_two_has_its_own_patience_on_the_shared_path(http: Any) -> None:
    shortest = DIALECTS["align_anything"].policy.deadline_s
    assert shortest is not None
    assert shortest < 100
    assert profile_of("/get_reward").deadline_s == DIALECTS["openrlhf"].policy.deadline_s
    assert profile_of("/align_anything/get_reward").deadline_s == shortest


async def test_one_without_a_score_fails_the_batch(http: Any) -> None:
    answer = await http.post("/get_reward", {"prompts": ["p", "p"], "responses": ["good", "bad"]})
    assert (answer.status_code, "rewards" in answer.json()) == (422, False)
    http.models.away = True
    assert (await http.post("/get_reward", {"prompts": ["p"], "responses": ["good"]})).status_code == 503


async def test_prompts_and_responses_are_one_for_one(http: Any) -> None:
    answer = await http.post("/get_reward", {"prompts": ["p"], "responses": ["a", "b"]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "prompts")
    assert await http.ok("/get_reward", {"prompts": [], "responses": []}) == {"rewards": []}


async def test_no_field_of_the_body_chooses_the_recipe(http: Any) -> None:
    body = {"prompts": ["Why?"], "responses": ["So."], "reward": "share", "model": "share"}
    assert (await http.ok("/get_reward", body))["rewards"] == [pytest.approx(await http.native("Why?", "So."))]
