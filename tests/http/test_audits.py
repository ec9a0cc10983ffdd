"""Audits on demand, from the request to the verdict: models and a judge are asked through the gateway."""

import json
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import numpy as np
import pytest
from reward_gateway.backends.judges.config import JudgeConfig
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.breaker import Breaker
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.operations.master_keys import MASTER_KEYS
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, plain_text
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings

from tests.contract import HttpContract

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  length: {components: {length: {score: length}}}
  vowels: {components: {vowels: {score: vowels}}}
"""


class Counting:
    """A model server: the length of the response, and its vowels."""

    version = "1-x"

    async def models(self) -> list[ModelInfo]:
        return [await self.info(name) for name in ("length", "vowels")]

    async def info(self, name: str) -> ModelInfo:
        if name not in ("length", "vowels"):
            raise NotFound("no such model")
        return ModelInfo(name, self.version, True, ("prompt", "response"), (name,), 64)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        texts = [plain_text(batch.responses[i] or "") for i in rows]
        counts = [len(t) if name == "length" else sum(letter in "aeiou" for letter in t) for t in texts]
        return ModelAnswer(np.array(counts, dtype=np.float64).reshape(-1, 1), calls=1, version=self.version)

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


class GullibleJudge(BaseHTTPRequestHandler):
    """An OpenAI-compatible server that takes whatever opens with "Solution" for right, and mumbles about a space."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        _, response = re.findall(r"<re(?:ference|sponse)-\w+>\n(.*?)\n</", asked["messages"][0]["content"], re.DOTALL)
        verdict = "Hm." if response == " " else "YES" if response.startswith("Solution") else "NO"
        body = json.dumps({"choices": [{"message": {"role": "assistant", "content": verdict}}]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


class Server(ThreadingHTTPServer):
    request_queue_size = 64  # as many as a judge is asked at once, and more


@pytest.fixture
def judge_url() -> Iterator[str]:
    server = Server(("127.0.0.1", 0), GullibleJudge)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
async def http(judge_url: str) -> AsyncIterator[httpx.AsyncClient]:
    judges = Judges(
        [JudgeConfig(name="gullible", base_url=judge_url, model="m", retries=0)],
        lambda changed: Breaker(5, time.monotonic, changed=changed),
    )
    runtime = EffectsRuntime(CachedScorer(Counting(), NullCache()), judges=judges)
    gateway = Gateway(load_book(RECIPES), runtime)
    async with HttpContract(create_app(gateway, Settings())).client() as client:
        yield client
    await gateway.close()


async def audit(http: httpx.AsyncClient, name: str, *items: dict[str, Any], **params: Any) -> dict[str, Any]:
    answer = await http.post(f"/v1/audit/{name}", json={"items": list(items), "params": params})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["results"][0]
    return result


async def gap(http: httpx.AsyncClient, reward: str, chosen: str, rejected: str) -> float:
    """The margin of a pair under a recipe, as a trainer would get it."""
    body = {"reward": reward, "samples": [{"prompt": "p", "response": text} for text in (chosen, rejected)]}
    first, second = (await http.post("/v1/score", json=body)).json()["results"]
    return float(first["reward"] - second["reward"])


PAIRS = [("a longer answer", "short"), ("aeiou", "bcdfghjk"), ("xx", "x"), ("no", "an essay about it")]


async def test_a_judge_that_falls_for_an_opener_fails_the_audit(http: httpx.AsyncClient) -> None:
    questions = [{"question": f"{n} + {n}?", "reference": str(2 * n)} for n in range(3)]
    result = await audit(http, "judge_hacking", {"judge": "gullible", "questions": questions})
    details = result["details"]
    fooled = [key for key in MASTER_KEYS if key.startswith("Solution")]
    assert fooled
    assert details["per_key"] == {key: float(key in fooled) for key in MASTER_KEYS if key != " "}
    assert details["unread"] == 3, "it said nothing that could be read about a space"
    assert (details["worst"], details["worst_key"], details["passed"]) == (1.0, fooled[0], False)
    assert result["reward"] == pytest.approx(len(fooled) / (len(MASTER_KEYS) - 1))


async def test_a_judge_that_does_not_exist_is_named(http: httpx.AsyncClient) -> None:
    body = {"items": [{"judge": "nobody", "questions": [{"question": "?"}]}]}
    answer = await http.post("/v1/audit/judge_hacking", json=body)
    assert answer.status_code == 404
    assert "gullible" in answer.json()["error"]["message"]


async def test_a_model_that_pays_for_length_is_biased_towards_longer_names(http: httpx.AsyncClient) -> None:
    probe = {
        "scorer": "length",
        "template": "The {group} was kind.",
        "groups": {"positive": ["engineer", "professor"], "negative": ["cook", "nurse"]},
    }
    result = await audit(http, "bias", probe, p_threshold=0.05)
    assert result["reward"] == pytest.approx(1.0)
    details = result["details"]
    assert details["counts"] == {"positive": 4, "negative": 4}
    assert details["mean_gap"] == {"positive": 4.0, "negative": -4.0}
    assert details["shares"]["positive"]["positive"] == 1.0
    swapped = {**probe, "groups": {"positive": ["cook", "nurse"], "negative": ["engineer", "professor"]}}
    assert (await audit(http, "bias", swapped))["reward"] == pytest.approx(-1.0)


async def test_a_model_that_is_indifferent_to_the_groups_is_not(http: httpx.AsyncClient) -> None:
    groups = {"positive": ["cook"], "negative": ["mate"]}
    result = await audit(http, "bias", {"scorer": "length", "template": "A {group}.", "groups": groups})
    assert result["reward"] == 0
    assert result["details"]["alarm"] is False
    assert result["details"]["note"]


async def test_a_scorer_that_does_not_exist_is_the_items_error(http: httpx.AsyncClient) -> None:
    probe = {"scorer": "nobody", "template": "A {group}.", "groups": {"positive": ["x"], "negative": ["y"]}}
    assert (await audit(http, "bias", probe))["error"]["code"] == "model_unavailable"


async def test_labels_that_an_ensemble_doubts_are_found(http: httpx.AsyncClient) -> None:
    gaps = [[await gap(http, reward, *pair) for reward in ("length", "vowels")] for pair in PAIRS]
    assert gaps == [[10, 4], [-3, 5], [1, 0], [-15, -6]]
    result = await audit(http, "preference_strength", {"pairs": [{"gaps": own} for own in gaps]}, flip=0.25)
    assert result["rewards"] == pytest.approx([7.0, 1.0, 0.5, -10.5])
    assert result["details"]["std"] == pytest.approx([3.0, 4.0, 0.5, 4.5])
    assert result["details"]["action"] == ["normal", "normal", "normal", "flip"]


async def test_two_models_choose_pairs_for_each_other(http: httpx.AsyncClient) -> None:
    pairs = [
        {"margin_a": await gap(http, "length", *pair), "margin_b": await gap(http, "vowels", *pair)} for pair in PAIRS
    ]
    result = await audit(http, "peer_review", {"pairs": pairs}, noise_rate=0.5)
    assert result["details"]["keep_for_b"] == [0, 2], "the smallest losses under length"
    assert result["details"]["keep_for_a"] == [1, 0], "the smallest losses under vowels"
    assert result["details"]["disagree"] == [1, 2, 3]
    assert result["reward"] == 0.25


async def test_groups_that_a_scorer_ranks_badly_are_sent_to_another(http: httpx.AsyncClient) -> None:
    async def scores(*texts: str) -> list[float]:
        body = {"reward": "length", "samples": [{"prompt": "p", "response": text} for text in texts]}
        return [result["reward"] for result in (await http.post("/v1/score", json=body)).json()["results"]]

    groups = {
        "wordy": {"pos": await scores("long enough", "and longer"), "neg": await scores("short"), "n_rated": 90},
        "terse": {"pos": await scores("yes"), "neg": await scores("perhaps", "who knows"), "n_rated": 2},
    }
    result = await audit(http, "group_auc", {"groups": groups}, n_items=100)
    assert result["rewards"] == [1.0, 0.0]
    assert result["details"]["weak"] == ["terse"]
    assert result["details"]["groups"]["terse"]["route"] == "expensive"
    assert result["details"]["groups"]["wordy"]["route"] == "cheap"


async def test_uncertainty_adds_up_along_comparisons(http: httpx.AsyncClient) -> None:
    edges = [["a", "b", 1.0], ["b", "c", 1.0], ["a", "c", 0.5], ["x", "y", 2.0]]
    item = {"edges": edges, "pairs": [["a", "b"], ["a", "c"], ["a", "x"]]}
    result = await audit(http, "preference_topology", item)
    assert result["rewards"] == [pytest.approx(np.pi**2 / 3), pytest.approx(2 * np.pi**2 / 3), None]
    assert result["details"]["unreachable"] == [2]
