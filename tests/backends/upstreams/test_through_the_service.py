"""An upstream behind a whole gateway: recipes, models, the Open Inference Protocol, dialects, experiments, failures."""

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from reward_gateway.backends.model_servers import ModelServers
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.errors import ModelUnavailable
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import PartlyKnown
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore
from starlette.responses import Response

from tests.backends.triton.opening import open_tritons
from tests.contract import HttpContract
from tests.ports import free_port

from .conftest import FakeServer, OpenUpstreams, StartServer, chat_text, entry, raw_scores

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  helpful: {components: {a: {score: rm}}}
experiments:
  trial: {model: rm, candidate: other, fraction: 1}
"""


@dataclass
class Whole:
    http: httpx.AsyncClient
    gateway: Gateway
    server: FakeServer
    other: FakeServer


@pytest.fixture
async def whole(start: StartServer, upstreams: OpenUpstreams) -> AsyncIterator[Whole]:
    server, other = await start("vllm"), await start("tei", weights=1)
    served = upstreams(rm=entry(server, "vllm_classify"), other=entry(other, "tei_predict"))
    models = ModelServers(open_tritons(), served)
    state = StateStore.in_process()
    runtime = EffectsRuntime(CachedScorer(models, MemoryCache(1000, 3600)), state)
    await runtime.refresh_models()
    gateway = Gateway(load_book(RECIPES, runtime.known_models()), runtime)
    async with HttpContract(create_app(gateway, Settings())).client() as client:
        yield Whole(client, gateway, server, other)


def value(prompt: str, response: str) -> Any:
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
    return pytest.approx(raw_scores(chat_text(messages))[0], abs=1e-5)


SAMPLES = [{"prompt": "Who?", "response": "I."}, {"prompt": "Why?", "response": "So."}]


async def test_a_recipe_names_an_upstream_like_any_model(whole: Whole) -> None:
    for cached in (False, True):
        answer = (await whole.http.post("/v1/score", json={"reward": "helpful", "samples": SAMPLES})).json()
        assert [result["reward"] for result in answer["results"]] == [value("Who?", "I."), value("Why?", "So.")]
        assert answer["usage"]["cache_hits"] == (2 if cached else 0)
    ready = await whole.http.get("/readyz")
    assert ready.status_code == 200


async def test_its_name_is_a_recipe_of_its_own(whole: Whole) -> None:
    answer = (await whole.http.post("/v1/score", json={"reward": "other", "samples": SAMPLES[:1]})).json()
    assert answer["results"][0]["reward"] == pytest.approx(raw_scores("Who?|I.", 1)[0], abs=1e-5)


async def test_models_are_listed_without_addresses(whole: Whole) -> None:
    page = await whole.http.get("/v1/models")
    listed = {row["name"]: row for row in page.json()["models"]}
    assert listed.keys() == {"rm", "other"}
    assert (listed["rm"]["ready"], listed["rm"]["device"]["kind"], listed["rm"]["precision"]) == (True, "upstream", "")
    assert whole.server.url not in page.text
    one = await whole.http.get("/v1/models/rm")
    assert one.headers["etag"] == f'"{listed["rm"]["version"]}"'


async def test_it_speaks_the_open_inference_protocol(whole: Whole) -> None:
    index = (await whole.http.post("/v2/repository/index")).json()
    names = ("helpful", "reward_model", "rm", "other")
    assert {row["name"]: row["state"] for row in index} == dict.fromkeys(names, "READY")
    assert (await whole.http.get("/v2/models/rm/ready")).status_code == 200
    metadata = (await whole.http.get("/v2/models/rm")).json()
    assert {tensor["name"] for tensor in metadata["outputs"]} >= {"reward", "valid"}
    column = {"shape": [1], "datatype": "BYTES"}
    inputs = [{"name": "prompt", "data": ["Who?"], **column}, {"name": "response", "data": ["I."], **column}]
    answer = (await whole.http.post("/v2/models/rm/infer", json={"inputs": inputs})).json()
    outputs = {tensor["name"]: tensor["data"] for tensor in answer["outputs"]}
    assert outputs["reward"] == [value("Who?", "I.")]


async def test_other_clients_ask_for_it_by_its_name(whole: Whole) -> None:
    messages = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "I."}]
    body = {"model": "rm", "messages": messages, "use_activation": False}
    answer = (await whole.http.post("/classify", json=body)).json()
    assert answer["data"][0]["probs"] == [value("Who?", "I.")]


async def test_a_candidate_on_another_server_is_compared(whole: Whole) -> None:
    await whole.http.post("/v1/score", json={"reward": "helpful", "samples": SAMPLES})
    report: dict[str, Any] = {}

    async def compared() -> int:
        nonlocal report
        (report,) = (await whole.http.get("/v1/experiments")).json()["experiments"]
        return int(report.get("samples", 0))

    for _ in range(2000):
        if await compared() == 2:
            break
    assert report["samples"] == 2
    assert set(report["versions"]) == {info.version for info in await whole.gateway.list_models()}


async def test_what_an_upstream_says_of_waiting_reaches_the_caller(whole: Whole) -> None:
    whole.server.fault = lambda path, body: (
        Response(b"", 503, {"retry-after": "17"}) if "Who?" in json.dumps(body) else None
    )
    answer = await whole.http.post("/v1/score", json={"reward": "helpful", "samples": SAMPLES[:1]})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "17")
    assert answer.json()["error"]["code"] == "overloaded"


async def test_an_upstream_that_is_away_says_why(whole: Whole) -> None:
    await whole.server.stop()
    answer = await whole.http.post("/v1/score", json={"reward": "helpful", "samples": SAMPLES})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
    ready: Callable[[], Any] = lambda: whole.http.get("/readyz")  # noqa: E731
    page = await ready()
    for _ in range(3000):
        if page.status_code == 503:
            break
        page = await ready()
    assert "rm cannot be reached" in page.text


async def test_a_model_of_an_upstream_is_loaded_by_its_own_server(whole: Whole) -> None:
    refused = await whole.http.post("/v2/repository/models/rm/load")
    assert refused.status_code in (404, 409)


async def test_a_triton_that_is_away_hides_no_upstream_and_no_recipe_of_its_own(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    """Or a gateway beside both could not start while Triton does."""
    served = upstreams(rm=entry(await start("vllm"), "vllm_classify"))
    models = ModelServers(open_tritons(f"127.0.0.1:{free_port()}"), served)
    runtime = EffectsRuntime(CachedScorer(models, MemoryCache(10, 3600)))
    with pytest.raises(ModelUnavailable):
        await runtime.refresh_models()
    known = runtime.known_models()
    assert isinstance(known, PartlyKnown)
    book = load_book("rewards: {a: {components: {x: {score: rm}}}, b: {components: {x: {score: on_triton}}}}", known)
    assert list(book.plans) == ["a", "b"]
    gateway = Gateway(book, runtime)
    assert [info.name for info in await gateway.list_models()] == ["rm"]


async def test_the_fallback_of_an_upstream_scores_whole_requests_while_it_is_away(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    server, other = await start("vllm"), await start("tei", weights=1)
    served = upstreams(rm=entry(server, "vllm_classify", fallback="other"), other=entry(other, "tei_predict"))
    runtime = EffectsRuntime(
        CachedScorer(ModelServers(open_tritons(), served), MemoryCache(1000, 3600)), StateStore.in_process()
    )
    await runtime.refresh_models()
    version = (await runtime.models.info("rm")).version
    assert (await runtime.models.info("rm")).fallback == "other"
    assert (await runtime.models.info(f"rm@{version}")).fallback == ""
    gateway = Gateway(load_book("rewards: {helpful: {components: {a: {score: rm}}}}", runtime.known_models()), runtime)
    async with HttpContract(create_app(gateway, Settings())).client() as client:

        async def score(samples: list[dict[str, str]]) -> list[dict[str, Any]]:
            answer = await client.post("/v1/score", json={"reward": "helpful", "samples": samples})
            assert answer.status_code == 200, answer.text
            return [
                {key: result[key] for key in ("reward", "flags")} | {"model": result["components"]["a"]["model"]}
                for result in answer.json()["results"]
            ]

        (before,) = await score(SAMPLES[:1])
        assert (before["model"], before["flags"]) == ("rm", [])
        await server.stop()
        during = await score(SAMPLES)
        assert [(result["model"], result["flags"]) for result in during] == [("other", ["fallback"])] * 2
        assert during[0]["reward"] != before["reward"]
        assert await score(SAMPLES[:1]) == [before]  # which is cached


def compare_by_word(path: str, body: dict[str, Any]) -> Response | None:
    """``A`` is the likelier word where the longer response is shown first."""
    if path != "/v1/chat/completions":
        return None
    asked = body["messages"][-1]["content"]
    shown = re.findall(r"<response_[ab]-\w+>\n(.*?)\n</response_", asked, re.DOTALL)
    first = len(shown) < 2 or len(shown[0]) > len(shown[1])  # not what is asked at the start
    top = [{"token": "A", "logprob": -0.1 if first else -2.5}, {"token": "B", "logprob": -2.5 if first else -0.1}]
    return Response(
        json.dumps({"choices": [{"index": 0, "logprobs": {"content": [{"token": "A", "top_logprobs": top}]}}]}),
        media_type="application/json",
    )


@pytest.mark.parametrize("read", ["messages", "pair"])
async def test_a_tournament_before_an_upstream_that_answers_by_one_word(
    start: StartServer, upstreams: OpenUpstreams, read: str
) -> None:
    server = await start("vllm")
    server.fault = compare_by_word
    served = upstreams(pair=entry(server, "word_logprob", input=read, words={"positive": "A", "negative": "B"}))
    runtime = EffectsRuntime(
        CachedScorer(ModelServers(open_tritons(), served), MemoryCache(1000, 3600)), StateStore.in_process()
    )
    await runtime.refresh_models()
    recipe = "rewards: {r: {components: {a: {score: judge_tournament, params: {model: pair}}}}}"
    gateway = Gateway(load_book(recipe, runtime.known_models()), runtime)
    async with HttpContract(create_app(gateway, Settings())).client() as client:
        samples = [{"prompt": "Why?", "response": "long " * n} for n in (1, 3, 2)]
        answer = (await client.post("/v1/score", json={"samples": samples})).json()
        assert [r["reward"] for r in answer["results"]] == pytest.approx([-0.59106, 0.59106, 0], abs=5e-6)
        asked = len(server.asked)
        items = [{**sample, "group": "g"} for sample in samples]
        body = {"items": items, "params": {"model": "pair", "method": "win_rate"}}
        single = (await client.post("/v1/score/judge_tournament", json=body)).json()
        assert [r["reward"] for r in single["results"]] == [0, 1, 0.5]
        assert len(server.asked) == asked, "the same questions are in the cache"
