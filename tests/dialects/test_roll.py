"""ROLL submits a sample and looks for its reward with a GET that has a body."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

SAMPLE = {
    "priority": 1,
    "project_id": "p",
    "global_step": 0,
    "data_id": "d",
    "prompt": "Why?",
    "response": "So.",
    "reward_info": {"ground_truth": "So."},
    "reward_manager": {"any": "thing"},
    "timeout": 300,
}


async def fetch(http: Any, token: str) -> Any:
    return await http.client.request("GET", "/roll/result", json={"reward_request_id": token})


async def test_a_submission_is_fetched_by_its_id(http: Any) -> None:
    sent = await http.ok("/roll/submit", SAMPLE, headers={"XRL-Authorization": "Bearer x", "BusinessType": "online"})
    assert set(sent) == {"errcode", "reward_request_id", "errmsg"}
    found = (await fetch(http, sent["reward_request_id"])).json()
    assert found["errcode"] == 0
    assert found["reward_score"] == pytest.approx(await http.native("Why?", "So."))
    assert set(found["dimention_reward_score"]) == {"ratio", "brevity"}
    assert found["start_time"] <= found["end_time"]


async def test_the_ground_truth_is_the_reference(http: Any) -> None:
    sent = await http.ok("/roll/submit?reward=share", SAMPLE)
    assert (await fetch(http, sent["reward_request_id"])).json()["reward_score"] == 1.0


async def test_failures_are_no_rewards(http: Any) -> None:
    answer = await http.post("/roll/submit", {**SAMPLE, "response": "bad"})
    assert (answer.status_code, "reward_request_id" in answer.json()) == (422, False)
    answer = await fetch(http, "nobody")
    assert (answer.status_code, "reward_score" in answer.json()) == (404, False)
    http.models.away = True
    assert (await http.post("/roll/submit", SAMPLE)).status_code == 503
