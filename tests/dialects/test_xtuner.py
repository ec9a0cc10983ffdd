"""xtuner's judger posts one response with its label, and trains on ``score``."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


async def test_the_label_is_the_reference(http: Any) -> None:
    for label in ("4", 4):
        body = {"response": "4", "label": label, "extra_info": {"score": 1, "format_score": 0}}
        assert await http.ok("/xtuner?reward=share", body) == {"score": 1.0}
    assert await http.ok("/xtuner?reward=share", {"response": "5", "label": "4", "extra_info": {}}) == {"score": 0.0}


async def test_the_prompt_is_that_of_the_rollout_which_newer_versions_send(http: Any) -> None:
    turns = [{"role": "user", "content": "Why?"}]
    info = {"format_score": 0.1, "rollout_state": {"message": turns, "response_ids": [1, 2], "uid": 3}}
    found = await http.ok("/xtuner", {"response": "Because.", "label": "x", "extra_info": info})
    assert found == {"score": pytest.approx(await http.native("Why?", "Because."))}


async def test_no_field_of_the_body_chooses_the_recipe(http: Any) -> None:
    info = {"reward": "share", "rollout_state": {"message": "Why?"}}
    body = {"response": "Because.", "label": "x", "extra_info": info, "reward": "share", "model": "share"}
    assert (await http.ok("/xtuner", body))["score"] == pytest.approx(await http.native("Why?", "Because."))


async def test_a_failure_is_an_http_error(http: Any) -> None:
    body = {"response": "bad", "label": None, "extra_info": {"rollout_state": {"message": "Why?"}}}
    answer = await http.post("/xtuner", body)
    assert (answer.status_code, "score" in answer.json()) == (422, False)
    http.models.away = True
    assert (await http.post("/xtuner", {**body, "response": "good"})).status_code == 503
