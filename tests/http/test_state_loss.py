"""A store that came back without its state is told by everything that answers, until an operator accepts the loss."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from reward_gateway.admin.stores import StoreWatch
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.cohorts import RedisCohorts
from reward_gateway.state.epoch import StoreEpoch
from reward_gateway.state.store import StateStore
from reward_gateway.telemetry.telemetry import Telemetry

from tests.contract import HttpContract
from tests.http.conftest import Letters
from tests.valkey import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.stack]

SCALED = "{score: given, inputs: {value: {feature: v}}, transforms: [{running_scale: {stream: s, clip: null}}]}"
RECIPES = f"""
default: scaled
rewards:
  scaled: {{components: {{a: {SCALED}}}}}
  begins_anew: {{on_reset: restart, components: {{a: {SCALED}}}}}
  compared:
    components: {{a: {{score: given, inputs: {{value: {{feature: v}}}}}}}}
    group: {{normalize: mean, cohort: {{size: 2, timeout_s: 60}}}}
  referred: {{components: {{a: {{score: given, inputs: {{value: {{feature: v}}}}, transforms: [
    {{log_sigmoid: {{reference: {{quantile: .5}}}}}}]}}}}}}
  stored: {{components: {{a: {{score: given, inputs: {{value: {{feature: v}}}}, transforms: [
    {{log_sigmoid: {{reference: {{stored: s}}}}}}]}}}}}}
  plain: {{components: {{a: {{score: given, inputs: {{value: {{feature: v}}}}}}}}}}
"""


@dataclass
class Losing:
    """A gateway on a store that can lose its state."""

    client: httpx.AsyncClient
    stores: StoreWatch
    telemetry: Telemetry
    valkey: Valkey

    async def lose_state(self) -> None:
        with self.valkey.client() as client:
            client.flushall()
        await self.stores.check_stores()

    async def score(self, reward: str, *numbers: float, **headers: str) -> httpx.Response:
        samples = [{"prompt": "p", "response": "r", "features": {"v": number}} for number in numbers or (1.0,)]
        return await self.client.post("/v1/score", json={"reward": reward, "samples": samples}, headers=headers)

    async def count(self) -> float:
        answer = await self.client.get("/v1/state/moments/s")
        counted: float = answer.json()["value"]["count"] if answer.is_success else 0.0
        return counted


@pytest.fixture
async def losing(valkey_process: Valkey, tmp_path: Path) -> AsyncIterator[Losing]:
    with valkey_process.client() as admin:
        admin.flushall()
    epoch, telemetry = StoreEpoch(), Telemetry()
    state = StateStore.connect(valkey_process.url, timeout_s=60.0, epoch=epoch)
    cohorts = RedisCohorts(valkey_process.url, timeout_s=60.0, epoch=epoch)
    gateway = Gateway(load_book(RECIPES), EffectsRuntime(CachedScorer(Letters(), NullCache()), state, cohorts))
    settings = Settings(state_redis_url=valkey_process.url)
    stores = StoreWatch.of(settings, telemetry.metrics, state)
    await stores.check_stores()
    app = create_app(gateway, settings, telemetry, stores=stores)
    async with HttpContract(app).client() as client:
        yield Losing(client, stores, telemetry, valkey_process)
    await stores.close()
    await gateway.close()


def refused(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"]["code"] == "state_unavailable"
    assert "accept-reset" in answer.json()["error"]["message"]
    assert int(answer.headers["retry-after"]) >= 1


async def test_state_is_refused_until_the_loss_is_accepted(losing: Losing) -> None:
    assert (await losing.score("scaled", 1.0, 2.0)).status_code == 200
    await losing.lose_state()
    for answer in (
        await losing.score("scaled"),
        await losing.score("scaled", **{"idempotency-key": "k"}),
        await losing.score("compared"),
        await losing.client.get("/v1/state/moments/s"),
        await losing.client.get("/v1/state"),
        await losing.client.get("/v1/state:runs"),
        await losing.client.post(
            "/v1/transform/running_scale", json={"items": [{"reward": 1.0}], "params": {"stream": "s"}}
        ),
    ):
        refused(answer)
    for _ in range(2):
        plain = await losing.score("plain", 3.0, **{"idempotency-key": "k"})
        assert plain.json()["results"][0]["reward"] == 3.0, "what needs no state is answered"

    accepted = await losing.client.post("/v1/state:accept-reset")
    assert accepted.json() == {"accepted": True}
    assert (await losing.score("scaled", 1.0)).status_code == 200
    assert await losing.count() == 1
    assert (await losing.client.post("/v1/state:accept-reset")).json() == {"accepted": False}


async def test_readiness_and_metrics_tell_it(losing: Losing) -> None:
    async def ready() -> dict[str, Any]:
        answer = await losing.client.get("/readyz")
        body: dict[str, Any] = answer.json()
        assert body["ready"] == answer.is_success
        return body

    async def gauge() -> bool:
        return "reward_gateway_state_lost 1.0" in (await losing.client.get("/metrics")).text

    await losing.score("scaled")
    assert (await ready())["stores"] == {"state": "ready"}
    assert not await gauge()
    await losing.lose_state()
    told = await ready()
    assert (told["ready"], told["stores"]) == (False, {"state": "lost"})
    assert told["error"]["code"] == "state_unavailable"
    assert sorted(told["not_ready"]) == ["compared", "referred", "scaled", "stored"]
    assert (await losing.client.get("/readyz?reward=begins_anew")).status_code == 200
    refused(await losing.client.get("/readyz?reward=scaled"))
    assert await gauge()
    await losing.client.post("/v1/state:accept-reset")
    await losing.stores.check_stores()
    assert (await ready())["stores"] == {"state": "ready"}
    assert not await gauge()


async def test_recipes_that_read_the_store_are_not_ready_while_it_is_away(tmp_path: Path) -> None:
    valkey = Valkey(tmp_path)
    valkey.start()
    state = StateStore.connect(valkey.url)
    gateway = Gateway(load_book(RECIPES), EffectsRuntime(CachedScorer(Letters(), NullCache()), state))
    settings = Settings(state_redis_url=valkey.url)
    stores = StoreWatch.of(settings, state=state)
    try:
        async with HttpContract(create_app(gateway, settings, stores=stores)).client() as client:

            async def missing() -> list[str]:
                await stores.check_stores()
                body = (await client.get("/readyz")).json()
                return [body["stores"]["state"], *sorted(body["not_ready"])]

            assert await missing() == ["ready"]
            valkey.kill()
            assert await missing() == ["away", "begins_anew", "compared", "referred", "scaled", "stored"]
            asked = await client.get("/readyz?reward=scaled")
            assert (asked.status_code, asked.json()["error"]["code"]) == (503, "state_unavailable")
            assert "cannot be reached" in asked.json()["error"]["message"]
            assert (await client.get("/readyz?reward=plain")).status_code == 200
            valkey.start()
            assert (await missing())[0] == "lost", "it keeps nothing on disk"
    finally:
        valkey.kill()
        await stores.close()
        await gateway.close()


@pytest.mark.parametrize("key", [{}, {"idempotency-key": "k"}])
async def test_a_recipe_that_begins_anew_says_so_in_every_sample(losing: Losing, key: dict[str, str]) -> None:
    first = await losing.score("begins_anew", 1.0, 2.0, 3.0)
    assert [result["flags"] for result in first.json()["results"]] == [[]] * 3
    await losing.lose_state()
    flags = [result["flags"] for result in (await losing.score("begins_anew", 1.0, 2.0, **key)).json()["results"]]
    assert flags == [["state_reset"]] * 2
    if key:
        repeated = await losing.score("begins_anew", 1.0, 2.0, **key)
        assert [result["flags"] for result in repeated.json()["results"]] == flags
    refused(await losing.score("scaled"))
    await losing.client.post("/v1/state:accept-reset")
    assert await losing.count() == 2, "once, and from nothing"
    after = await losing.score("begins_anew", 4.0)
    assert after.json()["results"][0]["flags"] == []
    assert await losing.count() == 3
