"""Streams of running statistics over HTTP: what they cannot hold leaves them alone; they are read, and begin anew."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.pages.answers import NoModels
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.contract import HttpContract

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  scaled:
    components:
      mine: {score: given, inputs: {value: {feature: x}}, transforms: [{running_scale: {stream: s}}]}
"""


@dataclass(frozen=True)
class Running:
    """An operation with running statistics, and the field of its items whose numbers join them."""

    path: str
    number: str
    params: dict[str, Any] = field(default_factory=dict)
    item: dict[str, Any] = field(default_factory=dict)
    state: str = "moments/s"

    def items(self, *numbers: float) -> list[dict[str, Any]]:
        return [{**self.item, self.number: number} for number in numbers]


RUNNING = [
    Running("transform/running_scale", "reward"),
    Running("transform/running_normalise", "reward"),
    Running("transform/par_running", "reward"),
    Running("transform/par_running", "reward", {"shape": "clip"}),
    Running("transform/par_running", "reward", {"shape": "minmax"}, state="archives/s:extremes"),
    Running("score/oni", "score", {"mode": "ranking"}, {"message": "m", "count": 1}),
]


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    runtime = EffectsRuntime(CachedScorer(NoModels(), NullCache()), StateStore.in_process())
    async with HttpContract(create_app(Gateway(load_book(RECIPES), runtime), Settings())).client() as client:
        yield client
    await runtime.close()


async def ask(http: httpx.AsyncClient, running: Running, *numbers: float) -> list[dict[str, Any]]:
    body = {"items": running.items(*numbers), "params": {"stream": "s", **running.params}}
    answer = await http.post(f"/v1/{running.path}", json=body)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


async def read(http: httpx.AsyncClient, running: Running) -> Any:
    answer = await http.get(f"/v1/state/{running.state}")
    return answer.json()["value"] if answer.status_code == 200 else None


@pytest.mark.parametrize("running", RUNNING, ids=lambda r: "-".join((r.path, *r.params.values())))
async def test_a_number_whose_square_overflows_is_its_items_error_and_joins_no_stream(
    http: httpx.AsyncClient, running: Running
) -> None:
    before = await ask(http, running, 1.0, 2.0, 4.0)
    seen = await read(http, running)
    assert seen is not None
    for large in await ask(http, running, 1e155, -1e155):
        assert (large["reward"], large["error"]["code"]) == (None, "not_finite")
    assert await read(http, running) == seen
    beside = await ask(http, running, 1e155, 2.0, -1e155)
    assert [result["error"] is None for result in beside] == [False, True, False]
    await http.delete(f"/v1/state/{running.state}")
    assert await read(http, running) is None
    assert await ask(http, running, 1.0, 2.0, 4.0) == before
    assert await read(http, running) == seen


async def test_a_list_that_holds_such_a_number_is_refused_whole(http: httpx.AsyncClient) -> None:
    items = [{"rewards": [1.0, 1e155]}, {"rewards": [1.0, 3.0]}]
    answer = await http.post("/v1/transform/running_scale", json={"items": items, "params": {"stream": "s"}})
    large, fine = answer.json()["results"]
    assert (large["error"]["code"], fine["error"]) == ("not_finite", None)
    assert (await http.get("/v1/state/moments/s")).json()["value"] == {"count": 2.0, "mean": 2.0, "m2": 2.0}


async def test_a_recipe_refuses_the_sample_alone(http: httpx.AsyncClient) -> None:
    samples = [{"response": "a", "features": {"x": x}} for x in (1.0, 1e155, 3.0)]
    results = (await http.post("/v1/score", json={"samples": samples})).json()["results"]
    assert [result["valid"] for result in results] == [True, False, True]
    listed = (await http.get("/v1/state")).json()["state"]
    (own,) = [entry["name"] for entry in listed if entry["kind"] == "moments"]
    assert (await http.get(f"/v1/state/moments/{own}")).json()["value"] == {"count": 2.0, "mean": 2.0, "m2": 2.0}
