"""A gateway on real ports, HTTP and gRPC; only the model server is a stand-in. The clients are the real ones."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.grpc import oip, server
from reward_gateway.grpc.oip import InferenceService
from reward_gateway.http.app import create_app
from reward_gateway.oip.protocol import OpenInference
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, Invalid
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.traffic.guard import Traffic
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tests.backends.triton.opening import open_tritons

RECIPES = """
rewards:
  plain:
    optional: [prompt]
    components:
      length: {score: length}
  mixed:
    optional: [prompt]
    components:
      length: {score: length, transforms: [{affine: {scale: 0.3, shift: 1.0}}]}
      brevity: {score: length_penalty, params: {free_words: 2, per_word: 0.25}}
    combine: {weighted_sum: {over: [length, brevity]}}
  right:
    components:
      same: {score: exact_match}
  filled:
    optional: [prompt]
    components:
      length: {score: length}
    on_invalid: default
    default_reward: -5.0
  grouped:
    components:
      length: {score: length}
    group: {normalize: mean}
  rule:
    components:
      brevity: {score: length_penalty, params: {free_words: 2, per_word: 0.25}}
    guards: [empty_response]
  huge:
    optional: [prompt]
    components:
      length: {score: length, transforms: [{affine: {scale: 1.0e+300}}]}
  large:
    optional: [prompt]
    components:
      length: {score: length, transforms: [{affine: {scale: 100000.0}}]}
  routed:
    optional: [prompt]
    components:
      task:
        score:
          by: metadata.task
          cases: {length: {score: length}, words: {score: length_penalty, params: {free_words: 0, per_word: 1}}}
default: plain
"""


class Lengths:
    """A model: characters of the prompt and twice those of the response. It cannot score "bad", and cuts "long"."""

    ready_now = True
    away_for_all = False
    slow_s = 0.0

    async def models(self) -> list[ModelInfo]:
        return [await self.info("length")]

    async def info(self, name: str) -> ModelInfo:
        if name != "length":
            raise NotFound("no such model")
        return ModelInfo("length", "1", self.ready_now, ("prompt", "response"), ("length",), 64, flags=("truncated",))

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        await asyncio.sleep(max(0.0, min(self.slow_s, deadline - asyncio.get_running_loop().time())))
        if asyncio.get_running_loop().time() >= deadline:
            late = Invalid("deadline_exceeded", "the deadline passed before the model answered")
            return ModelAnswer(np.full((len(rows), 1), np.nan), dict.fromkeys(range(len(rows)), late))
        values = [len(str(batch.prompts[i])) + 2.0 * len(str(batch.responses[i])) for i in rows]
        answer = ModelAnswer(np.array(values).reshape(-1, 1), calls=1, version="1")
        for k, i in enumerate(rows):
            if self.away_for_all:
                answer.invalid[k] = Invalid("model_unavailable", "length is not ready")
            elif batch.responses[i] == "bad":
                answer.invalid[k] = Invalid("model_error", "the model failed")
            elif str(batch.responses[i]).startswith("long"):
                answer.flags[k] = ("truncated",)
        answer.values[list(answer.invalid)] = np.nan
        return answer

    async def ready(self) -> bool:
        return self.ready_now

    async def close(self) -> None:
        pass


@dataclass
class Served:
    """Addresses of a running gateway (``host:port``), and the stand-in behind it."""

    http: str
    grpc: str
    models: Lengths
    traffic: Traffic

    def post(self, path: str, body: Any, **kwargs: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(f"http://{self.http}{path}", content=content, timeout=60, **kwargs)

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return httpx.get(f"http://{self.http}{path}", timeout=60, **kwargs)

    def native(self, reward: str, prompts: list[str], responses: list[str]) -> list[float]:
        """The same samples through ``POST /v1/score``."""
        samples = [{"prompt": p, "response": r} for p, r in zip(prompts, responses, strict=True)]
        answer = self.post("/v1/score", {"reward": reward, "samples": samples}, headers=JSON)
        return [result["reward"] for result in answer.json()["results"]]

    @staticmethod
    def column(texts: list[str]) -> dict[str, Any]:
        """Texts as a JSON tensor without its name."""
        return {"shape": [len(texts), 1], "datatype": "BYTES", "data": texts}

    def texts(self, **columns: list[str]) -> dict[str, Any]:
        """A JSON infer request of columns of texts."""
        return {"inputs": [{"name": name, **self.column(texts)} for name, texts in columns.items()]}

    @staticmethod
    def outputs(answer: httpx.Response) -> dict[str, list[Any]]:
        """Data of the outputs of a JSON answer, by name."""
        assert answer.status_code == 200, answer.text
        return {output["name"]: output["data"] for output in answer.json()["outputs"]}

    @staticmethod
    def refused(answer: httpx.Response, status: int) -> str:
        """The words of a refusal, which always is ``{"error": text}``."""
        assert answer.status_code == status, answer.text
        body = answer.json()
        assert set(body) == {"error"}
        assert isinstance(body["error"], str)
        return str(body["error"])


JSON = {"Content-Type": "application/json"}
Serve = Callable[..., AbstractContextManager[Served]]


@contextmanager
def serving(triton: str = "", **overrides: Any) -> Iterator[Served]:
    """A gateway in a thread of its own, so that blocking clients can be used as they are.

    Args:
        triton: address of a model server behind it; the stand-in otherwise.
    """
    settings = Settings(**overrides)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    models, started, stop = Lengths(), threading.Event(), asyncio.Event()
    found: dict[str, Any] = {}

    async def run() -> None:
        behind = open_tritons(triton) if triton else models
        gateway = Gateway(load_book(RECIPES), EffectsRuntime(CachedScorer(behind, NullCache())))
        traffic = Traffic.of(settings)
        protocol = OpenInference(gateway, settings)
        app = create_app(gateway, settings, traffic=traffic, open_inference=protocol)
        http = uvicorn.Server(uvicorn.Config(app, http="httptools", ws="none", log_config=None, lifespan="off"))
        more = [(oip.SERVICE, InferenceService(gateway, protocol, settings, traffic).handler())]
        grpc = await server.start(gateway, settings, traffic, more=more, port=0)
        task = asyncio.create_task(http.serve([listener]))
        found.update(grpc=f"127.0.0.1:{grpc.port}", traffic=traffic, loop=asyncio.get_running_loop())
        started.set()
        await stop.wait()
        http.should_exit = True
        await task
        await grpc.stop(0)
        await gateway.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    assert started.wait(120)
    try:
        host, port = listener.getsockname()
        yield Served(f"{host}:{port}", found["grpc"], models, found["traffic"])
    finally:
        found["loop"].call_soon_threadsafe(stop.set)
        thread.join(20)


@pytest.fixture
def serve() -> Serve:
    """``with serve(max_samples=2) as served:`` a gateway with these settings."""
    return serving


@pytest.fixture(scope="module")
def served(tokenizer: Path) -> Iterator[Served]:
    """A gateway with a tokenizer, shared by the tests of a file."""
    with serving(oip_tokenizer=tokenizer) as running:
        yield running


WORDS = ["<|end|>", "a", "good", "answer", "bad", "long", "text"]


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of a few words; its id 0 is the end of the text."""
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<|end|>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.decoder = decoders.Fuse()
    words.add_special_tokens(["<|end|>"])
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    words.save(str(path))
    return path
