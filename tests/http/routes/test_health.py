"""Live is not ready; both answer whatever else is going on."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

LIVE = ["/livez", "/v2/health/live"]
READY = ["/readyz", "/health", "/v2/health/ready"]


def said(served: Any, path: str, answer: Any) -> str:
    """The code of a refusal. Under /v2 an error is a text; its words tell the same."""
    if not path.startswith("/v2"):
        return str(served.refused(answer, 503)["code"])
    assert answer.status_code == 503
    return "draining" if "shutting down" in answer.json()["error"] else "model_unavailable"


@pytest.mark.parametrize("path", LIVE + READY)
async def test_a_healthy_gateway_is_live_and_ready(served: Any, path: str) -> None:
    answer = await served.client.get(path)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_without_models_it_lives_and_is_not_ready(served: Any) -> None:
    served.models.away = True
    for path in LIVE:
        assert (await served.client.get(path)).status_code == 200
    for path in READY:
        answer = await served.client.get(path)
        assert said(served, path, answer) == "model_unavailable"
        assert answer.json()["ready"] is False
        assert int(answer.headers["retry-after"]) >= 1


async def test_draining_it_lives_is_not_ready_and_refuses_work(served: Any) -> None:
    served.traffic.drain.begin()
    for path in LIVE:
        assert (await served.client.get(path)).status_code == 200
    for path in READY:
        assert said(served, path, await served.client.get(path)) == "draining"
    answer = await served.score({"samples": []})
    assert served.refused(answer, 503)["code"] == "draining"
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_recipe_that_cannot_answer_is_listed_and_its_neighbours_get_work(served: Any) -> None:
    served.models.lost = {"pictures"}
    answer = (await served.client.get("/readyz")).json()
    assert (answer["ready"], answer["reward"]) == (True, "plain")
    assert answer["not_ready"] == {"looks": "there is no such model"}
    assert (answer["rewards"]["plain"], answer["rewards"]["looks"]) == ([True], [False])


async def test_each_store_is_told_by_its_name_and_none_makes_it_unready(served: Any) -> None:
    served.app.state.dependencies.stores.reachable.update(cache=True, state=False)
    answer = (await served.client.get("/readyz")).json()
    assert (answer["ready"], answer["stores"]) == (True, {"cache": "ready", "state": "away"})


async def test_one_recipe_can_be_asked_for(served: Any) -> None:
    served.models.lost = {"pictures"}
    assert (await served.client.get("/readyz?reward=plain")).status_code == 200
    refused = await served.client.get("/readyz?reward=looks")
    assert "looks cannot answer" in served.refused(refused, 503)["message"]
    assert served.refused(await served.client.get("/readyz?reward=nothing"), 404, "reward")


async def test_without_the_default_recipe_it_is_not_ready_and_says_why(served: Any) -> None:
    served.models.lost = {"letters"}
    answer = await served.client.get("/readyz")
    assert "plain cannot answer: there is no such model" in served.refused(answer, 503)["message"]
    assert "looks" not in answer.json()["not_ready"]
