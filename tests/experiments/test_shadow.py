"""Shadow scoring changes no answer, delays none, keeps prompts whole, and counts what it leaves out."""

import asyncio
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import InvalidRecipe, NotFound
from reward_gateway.experiments import shadow
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.recipes.shares import share_of
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.scoring.plan_scorer import fetch_raw_scores
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.settings import Settings
from reward_gateway.telemetry.telemetry import Telemetry

from tests.clock import Gate
from tests.contract import HttpContract

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  live: {components: {quality: {score: m}}}
  rules: {components: {length: {score: length_penalty}}}
experiments:
  next: {model: m, candidate: m@2, fraction: %s}
"""


class Lengths:
    """``m`` and ``m@1`` count letters, ``m@2`` counts them twice; it may be held at its gate or fail."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.failure: Exception | None = None
        self.shadowed: list[str] = []

    async def models(self) -> list[ModelInfo]:
        return [await self.info("m")]

    async def info(self, name: str) -> ModelInfo:
        if name not in ("m", "m@1", "m@2"):
            raise NotFound("there is no such version")
        version = "2-b" if name == "m@2" else "1-a"
        return ModelInfo(name, version, True, ("prompt", "response"), ("count",), 64, versions=("1-a", "2-b"))

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        if name == "m@2":
            await self.gate.passed(deadline)
            if self.failure is not None:
                raise self.failure
            self.shadowed += [str(batch.prompts[i]) for i in rows]
        values = [float(len(str(batch.responses[i]))) * (2 if name == "m@2" else 1) for i in rows]
        return ModelAnswer(np.array(values).reshape(-1, 1), calls=1, version=(await self.info(name)).version)

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


def gateway_of(models: Lengths, fraction: float = 1.0, telemetry: Telemetry | None = None) -> Gateway:
    known = dict.fromkeys(("m", "m@1", "m@2"), KnownModel(("prompt", "response")))
    runtime = EffectsRuntime(CachedScorer(models, NullCache()), known_models=known)
    metrics = (telemetry or Telemetry()).metrics
    metrics.experiments.register(["next"])
    return Gateway(load_book(RECIPES % fraction, known), runtime, shadow=shadow.Shadow(runtime, metrics))


def batch_of(prompts: int, each: int = 2) -> Batch:
    names = [f"p{i}" for i in range(prompts) for _ in range(each)]
    return Batch([str(i) for i in range(len(names))], list(names), ["x" * (1 + i) for i in range(len(names))])


async def compare_all(gateway: Gateway) -> None:
    """Wait until all samples that were chosen are compared."""
    work = gateway.shadow._work
    if work is not None:
        await asyncio.wait([work])


async def report_of(gateway: Gateway) -> dict[str, Any]:
    await compare_all(gateway)
    return gateway.shadow.build_reports(gateway.book.experiments)[0]


async def test_the_answer_is_that_of_the_served_version() -> None:
    gateway = gateway_of(Lengths())
    scored = await gateway.score(batch_of(3), "live")
    assert scored.reward.tolist() == [1, 2, 3, 4, 5, 6]
    assert scored.usage.model_calls == 1
    told = await report_of(gateway)
    assert (told["versions"], told["n"], told["groups"]) == (("1-a", "2-b"), 6, 3)
    assert told["pearson"] == pytest.approx(1.0)
    assert (told["pair_agreement"], told["best_changed"], told["sign_flips"]) == (1.0, 0.0, 0.0)
    assert told["mean_shift"] == pytest.approx(3.5)


async def test_a_slow_candidate_delays_nobody() -> None:
    models = Lengths()
    models.gate.shut()  # the candidate never answers
    gateway = gateway_of(models)
    await gateway.score(batch_of(3), "live")
    later = asyncio.get_running_loop().time() + 3600
    await gateway.score(batch_of(3), "live", ScoreOptions(deadline=later))
    assert models.shadowed == []
    await gateway.close()


async def test_a_candidate_that_fails_or_is_away_fails_nobody() -> None:
    models = Lengths()
    models.failure = RuntimeError("it broke")
    gateway = gateway_of(models)
    assert (await gateway.score(batch_of(2), "live")).invalid == {}
    told = await report_of(gateway)
    assert (told["n"], told["failed"]) == (0, 4)


async def test_what_the_queue_cannot_take_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "WAITING_ROWS", 10)
    telemetry = Telemetry()
    gateway = gateway_of(Lengths(), telemetry=telemetry)
    plan = gateway.book.get("live")
    await gateway.score(batch_of(1), "live")
    raw = await fetch_raw_scores(gateway.runtime, plan, batch_of(4), RequestContext())
    await compare_all(gateway)
    for _ in range(3):
        gateway.shadow.offer_batch(gateway.book.experiments, plan, batch_of(4), raw)
    told = await report_of(gateway)
    assert (told["samples"], told["dropped"]) == (2 + 8, 16)
    page = telemetry.metrics.render().decode()
    assert 'reward_gateway_shadow_samples_total{experiment="next",outcome="dropped"} 16.0' in page


async def test_a_prompt_is_chosen_whole_and_always_the_same() -> None:
    models = Lengths()
    gateway = gateway_of(models, 0.3)
    for _ in range(2):
        await gateway.score(batch_of(200, each=3), "live")
        await compare_all(gateway)
    counts = {prompt: models.shadowed.count(prompt) for prompt in models.shadowed}
    assert set(counts.values()) == {6}, "all three samples, both times"
    assert 0.2 < len(counts) / 200 < 0.4


def test_shares_lie_evenly_and_differ_by_experiment() -> None:
    shares = np.array([share_of("a", f"group {i}") for i in range(4000)])
    assert abs(shares.mean() - 0.5) < 0.02
    assert 0 <= shares.min() < shares.max() < 1
    others = np.array([share_of("b", f"group {i}") for i in range(4000)])
    assert abs(np.corrcoef(shares, others)[0, 1]) < 0.05


async def test_recipes_that_do_not_ask_the_model_are_left_alone() -> None:
    models = Lengths()
    gateway = gateway_of(models)
    await gateway.score(batch_of(2), "rules")
    assert (await report_of(gateway))["n"] == 0
    assert models.shadowed == []


async def test_the_service_reports_it_and_its_metrics_name_no_text() -> None:
    telemetry = Telemetry()
    gateway = gateway_of(Lengths(), telemetry=telemetry)
    app = create_app(gateway, Settings(), telemetry)
    async with HttpContract(app).client() as client:
        body = {"samples": [{"prompt": "p", "response": "x" * (1 + k)} for k in range(4)]}
        assert (await client.post("/v1/score", json=body)).status_code == 200
        await compare_all(gateway)
        listed = (await client.get("/v1/experiments")).json()["experiments"]
        one = (await client.get("/v1/experiments/next")).json()
        assert listed == [one]
        assert (one["n"], one["candidate"], one["pair_agreement"]) == (4, "m@2", 1.0)
        assert (await client.get("/v1/experiments/other")).status_code == 404
        page = (await client.get("/metrics")).text
    assert 'reward_gateway_shadow_pair_agreement{experiment="next"} 1.0' in page


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{model: other, candidate: m@2}", "no recipe asks for 'other'"),
        ("{model: m, candidate: m@7}", "the model m serves no version '7'"),
        ("{model: m, candidate: m}", "the candidate is the model itself"),
        ("{model: m, candidate: m@2, reward: nothing}", "no reward 'nothing'"),
        ("{model: m, candidate: m@2, fraction: 2}", "less than or equal to 1"),
    ],
)
def test_an_experiment_that_cannot_work_is_refused(written: str, said: str) -> None:
    text = f"rewards: {{live: {{components: {{quality: {{score: m}}}}}}}}\nexperiments: {{next: {written}}}"
    with pytest.raises(InvalidRecipe, match=said):
        load_book(text, dict.fromkeys(("m", "m@1", "m@2"), KnownModel(("response",))))
