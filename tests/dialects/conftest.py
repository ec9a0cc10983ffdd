"""The application over a real gateway, for clients of every dialect; only the model server is a stand-in."""

import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from reward_gateway.backends.coalescer import CallAnswer, CallFailed, Coalescer
from reward_gateway.backends.encoded_rows import Encoded, Piece
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.backends.triton.tensors import TensorRows, join_pieces
from reward_gateway.cache.null import NullCache
from reward_gateway.cache.port import ScoreCache
from reward_gateway.errors import ModelUnavailable, NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.http.encode import encode_scored
from reward_gateway.jobs.runner import JobRunner
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.sample import Batch, Invalid, Text, plain_text
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.clock import Gate
from tests.contract import HttpContract
from tests.websocket import WebSocket, websocket

RECIPES = r"""
rewards:
  ratio:
    components:
      ratio: {score: texts}
      brevity: {score: length_penalty, params: {free_words: 3, per_word: 0.5}}
    combine: {weighted_sum: {over: [ratio, brevity]}}
  share:
    components: {equal: {score: exact_match}}
    range: [0, 1]
  judged:
    components: {correct: {score: math_equivalence}}
    range: [0, 1]
  begins:
    components: {begins: {score: regex_match, params: {pattern: "^r"}}}
    range: [0, 1]
  chat:
    components: {ratio: {score: texts}}
    answer_template: "[[{reward}]]"
  lenient:
    components: {ratio: {score: texts}}
    on_invalid: default
    default_reward: -9
  verbatim:
    components: {ratio: {score: texts}}
    chat_format: none
  strict:
    components: {ratio: {score: texts}}
    plain_text: refuse
  lax:
    components: {ratio: {score: texts}}
    plain_text: accept
  unmarked:
    components: {begins: {score: regex_match, params: {pattern: "^r"}}}
    template_marks: refuse
  looks:
    components: {sight: {score: pictures}}
  film:
    components: {sight: {score: film}}
    judge: {format: rlinf, labels: [{below: 2, say: negative}, {below: 3, say: unclear}, {say: positive}]}
  task:
    components: {sight: {score: film}}
  verdict:
    components: {ratio: {score: texts}}
    judge: {question: 'Question: (?P<question>.*?)\n\nAnswer: ', response: '\n\nAnswer: (?P<response>.*)\n\nIs it good'}
  endless:
    components: {ratio: {score: texts}}
    judge: {question: '(?P<question>(?:a|aa)+)b', response: '(?P<response>.*)'}
  verl:
    components: {ratio: {score: texts}}
    judge: verl
  ruler:
    components: {ratio: {score: texts}}
    judge: ruler
  compared:
    components: {ratio: {score: texts}}
    group: {normalize: mean}
  numeric:
    components: {equal: {score: numeric_match}}
    range: [0, 1]
  calls:
    components:
      call: {score: json_schema, params: {json_schema: {type: [object, array], minItems: 1, minProperties: 1}}}
    range: [0, 1]
  mixed:
    components:
      chosen:
        score:
          by: metadata.task
          cases:
            math: {score: math_equivalence}
            words: {score: length_penalty, params: {free_words: 0, per_word: 1}}
  routed_prompts:
    components:
      chosen:
        score:
          by: metadata.task
          cases: {known: {score: given, inputs: {value: 1.0}}}
default: ratio
"""

READS = {
    "texts": ("prompt", "response"),
    "pictures": ("images", "frames"),
    "film": ("prompt", "frames"),
    "traits": ("prompt", "response"),
}
NUMBERS = {name: ("long", "calm", "kind of") if name == "traits" else ("number",) for name in READS}
KNOWN = {name: KnownModel(inputs, NUMBERS[name]) for name, inputs in READS.items()}


def value(prompt: str, response: str) -> float:
    """What the model says of a text: neither an integer nor within 0 and 1."""
    return len(response) - math.sqrt(2.0) * len(prompt)


def encode_texts(_: str, batch: Batch, rows: Sequence[int]) -> Encoded[TensorRows]:
    """Prompt and response of each row, as JSON."""
    texts = [(plain_text(batch.prompts[i]), plain_text(batch.responses[i] or "")) for i in rows]
    encoded = TensorRows.of({"text": [json.dumps(text).encode() for text in texts]}, len(rows))
    return Encoded(encoded, list(range(len(rows))), {})


@dataclass
class Texts:
    """A model server: ``texts`` measures prompt and response, ``pictures`` counts images and frames, ``film`` frames.

    ``traits`` gives three numbers: the length of the response, minus that of the prompt, and a half. ``loaded`` are
    further models, which were loaded after the start and give the length of the response.

    The response ``bad`` cannot be scored. Requests share its calls through the product's own coalescer.
    """

    away: bool = False
    gate: Gate = field(default_factory=Gate)
    calls: int = 0
    looked_up: list[str] = field(default_factory=list)
    loaded: set[str] = field(default_factory=set)
    seen: list[tuple[Text, Text | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = Coalescer(
            "texts", encode_texts, self._send, max_calls=4, max_queued=65_536, max_in_flight_s=3600.0
        )

    async def models(self) -> list[ModelInfo]:
        return [await self.info(name) for name in (*READS, *self.loaded)]

    async def info(self, name: str) -> ModelInfo:
        self.looked_up.append(name)
        if name not in READS and name not in self.loaded:
            raise NotFound("no such model")
        if self.away:
            raise ModelUnavailable("the model server is away")
        inputs, numbers = READS.get(name, READS["texts"]), NUMBERS.get(name, ("number",))
        return ModelInfo(name, "1", True, inputs, numbers, 256)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        if name == "pictures":
            columns = [column for column in (batch.images, batch.frames) if column]
            counts = [[float(sum(len(column[i]) for column in columns))] for i in rows]
            return ModelAnswer(np.array(counts), calls=1, version="1")
        if name == "film":
            self.seen += [(batch.prompts[i], None) for i in rows]
            frames = batch.frames or [[]] * batch.size
            return ModelAnswer(np.array([[float(len(frames[i]))] for i in rows]), calls=1, version="1")
        if name == "traits" or name in self.loaded:
            lengths = [(len(plain_text(batch.responses[i] or "")), len(plain_text(batch.prompts[i]))) for i in rows]
            numbers = [[float(r), -float(p), 0.5] if name == "traits" else [float(r)] for r, p in lengths]
            return ModelAnswer(np.array(numbers), calls=1, version="1")
        self.seen += [(batch.prompts[i], batch.responses[i]) for i in rows]
        return await self.queue.score(name, batch, rows, width=1, deadline=deadline, max_rows=256)

    async def _send(self, pieces: Sequence[Piece[TensorRows]], deadline: float) -> CallAnswer:
        self.calls += 1
        if not await self.gate.passed(deadline):
            raise CallFailed(Invalid("deadline_exceeded", "the model is late"), divisible=False)
        texts = [json.loads(row) for row in join_pieces(pieces)["text"]]
        answer = CallAnswer(np.array([[value(*text)] for text in texts]), "1")
        for row, (_, response) in enumerate(texts):
            if response == "bad":
                answer.values[row] = np.nan
                answer.invalid[row] = Invalid("truncated", "the model cannot score this")
        return answer

    async def ready(self) -> bool:
        return not self.away

    async def close(self) -> None: ...


@dataclass
class Speaking:
    """A client of the application, and the models behind it."""

    client: httpx.AsyncClient
    models: Texts
    gateway: Gateway
    app: FastAPI

    def websocket(self, path: str, headers: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[WebSocket]:
        """A WebSocket on a path."""
        return websocket(self.app, path, headers)

    async def post(self, path: str, body: Any, **kwargs: Any) -> httpx.Response:
        return await self.client.post(path, json=body, **kwargs)

    async def ok(self, path: str, body: Any, **kwargs: Any) -> Any:
        """The JSON of a 200."""
        answer = await self.post(path, body, **kwargs)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def native(self, prompt: str, response: str, reward: str = "ratio", **fields: Any) -> float:
        """The reward by our own API."""
        sample = {"prompt": prompt, "response": response, **fields}
        found = await self.ok("/v1/score", {"reward": reward, "samples": [sample]})
        number: float = found["results"][0]["reward"]
        return number


@asynccontextmanager
async def speaking(cache: ScoreCache | None = None, more: str = "", **settings: Any) -> AsyncIterator[Speaking]:
    """The application under the settings given; ``more`` goes on with its recipe file."""
    models = Texts()
    gateway = Gateway(
        load_book(RECIPES + more, KNOWN),
        EffectsRuntime(
            CachedScorer(models, NullCache() if cache is None else cache), StateStore.in_process(), known_models=KNOWN
        ),
    )
    app = create_app(gateway, Settings(**settings))
    deps = app.state.dependencies
    runner = JobRunner(gateway, deps.settings, deps.traffic.admission, encode_scored)
    runner.start()
    async with HttpContract(app).client() as client:
        yield Speaking(client, models, gateway, app)
    await runner.close()


Speak = Callable[..., AbstractAsyncContextManager[Speaking]]


@pytest.fixture
def speak() -> Speak:
    """``async with speak(max_in_flight=1) as http``."""
    return speaking


@pytest.fixture
async def http() -> AsyncIterator[Speaking]:
    """The application under the default settings."""
    async with speaking() as found:
        yield found


@pytest.fixture
def unit() -> Callable[[float], float]:
    """The sigmoid, as a client would compute it."""
    return lambda x: 1.0 / (1.0 + math.exp(-x))
