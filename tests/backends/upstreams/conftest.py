"""Servers that speak as vLLM, SGLang, TEI, infinity, OpenRLHF and KServe do, and fail as they are told.

Their model is a hash: a text has K raw scores, which differ with the ``weights``. What is asked about a text that has
more words than the server takes is refused, as a whole.
"""

import asyncio
import json
import math
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import pytest
import uvicorn
from reward_gateway.backends.upstreams.config import UpstreamConfig
from reward_gateway.backends.upstreams.server import UpstreamServer
from reward_gateway.cache.breaker import Breaker
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Batch
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.clock import until

Fault = Callable[[str, dict[str, Any]], Response | None]
MODEL = "org/reward"


def raw_scores(text: str, weights: int = 0, k: int = 1) -> list[float]:
    """The model: K numbers within -10 and 10."""
    return [crc32(f"{weights} {n} {text}".encode()) % 20_000 / 1000 - 10 for n in range(k)]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softmax(row: list[float]) -> list[float]:
    powers = [math.exp(x) for x in row]
    return [power / sum(powers) for power in powers]


def activate(row: list[float]) -> list[float]:
    return [sigmoid(row[0])] if len(row) == 1 else softmax(row)


def as_json(value: Any, status: int = 200) -> Response:
    """JSON as Python writes it, NaN included."""
    return Response(json.dumps(value), status, media_type="application/json")


def chat_text(messages: list[dict[str, Any]]) -> str:
    """A conversation as the server's own template has it."""
    return "".join(f"<{message['role']}>{json.dumps(message['content'])}" for message in messages)


@dataclass
class FakeServer:
    """One server of one kind on a port of its own, which may be stopped and started again.

    While it ``hangs`` nothing is answered; what ``holds`` is, no request that contains it.
    """

    kind: str
    k: int = 1
    weights: int = 0
    max_words: int = 10_000
    most_rows: int = 32
    labels: list[str] = field(default_factory=list)
    tokens: list[int] | None = None
    fault: Fault | None = None
    hangs: bool = False
    holds: str = ""
    ignores_activation: bool = False
    always_activates: bool = False
    port: int = 0
    paths: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies of scoring requests."""
        return [body for path, body in zip(self.paths, self.bodies, strict=True) if body]

    async def start(self) -> None:
        app = Starlette(routes=[Route("/{path:path}", self._handle, methods=["GET", "POST", "PUT"])])
        config = uvicorn.Config(app, port=self.port, log_config=None, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        server = self._server
        await until(lambda: server.started)
        self.port = server.servers[0].sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = self._server.force_exit = True
        self.hangs, self.holds = False, ""
        thread = self._thread
        await until(lambda: not thread.is_alive())
        self._server = None

    async def _handle(self, request: Request) -> Response:
        path = request.url.path
        body = await request.json() if request.method != "GET" else {}
        self.paths.append(path)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            while self.hangs or (self.holds and self.holds in json.dumps(body)):
                await asyncio.sleep(0.005)
            if self.fault is not None and (answer := self.fault(path, body)) is not None:
                return answer
            return self._answer(path, body)
        finally:
            self.running -= 1

    # The kinds

    def _answer(self, path: str, body: dict[str, Any]) -> Response:
        answered: Response | None = getattr(self, f"_{self.kind}")(path, body)
        return answered if answered is not None else as_json({"detail": "Not Found"}, 404)

    def _score(self, text: str) -> list[float]:
        return raw_scores(text, self.weights, self.k)

    def _is_long(self, texts: list[str]) -> bool:
        return any(len(text.split()) > self.max_words for text in texts)

    def _vllm(self, path: str, body: dict[str, Any]) -> Response | None:
        if path == "/v1/models":
            return as_json({"object": "list", "data": [{"id": MODEL, "root": MODEL, "max_model_len": 100}]})
        if path in ("/v1/completions", "/v1/chat/completions"):
            return self._words(path, body)
        if path == "/tokenize":
            return None if self.tokens is None else as_json({"tokens": self.tokens})
        if body.get("model") not in (None, MODEL):
            return as_json({"error": {"message": "The model does not exist.", "code": 404}}, 404)
        activated = self.always_activates or (
            body.get("use_activation", body.get("activation", True)) and not self.ignores_activation
        )
        form = activate if activated else list
        if path in ("/classify", "/pooling"):
            texts = [chat_text(body["messages"])] if "messages" in body else body["input"]
        elif path == "/score":
            texts = [f"{one}|{two}" for one, two in zip(body["text_1"], body["text_2"], strict=True)]
        elif path == "/v1/rerank":
            texts = [f"{body['query']}|{document}" for document in body["documents"]]
        else:
            return None
        limit = body.get("truncate_prompt_tokens")
        if limit is not None:
            texts = [" ".join(text.split()[:limit]) for text in texts]
        if self._is_long(texts):
            words = f"This model's maximum context length is {self.max_words} tokens. However, you requested more."
            return as_json({"error": {"message": words, "type": "BadRequestError", "code": 400}}, 400)
        rows = [form(self._score(text)) for text in texts]
        usage = {"prompt_tokens": sum(len(text.split()) for text in texts), "total_tokens": 0}
        if path == "/classify":
            data: list[Any] = [
                {"index": n, "label": "LABEL_0", "probs": row, "num_classes": self.k} for n, row in enumerate(rows)
            ]
        elif path == "/pooling" and body["task"] == "token_classify":
            data = [
                {"index": n, "data": [form(self._score(word)) for word in text.split()]} for n, text in enumerate(texts)
            ]
        elif path == "/pooling":
            data = [{"index": n, "object": "pooling", "data": row} for n, row in enumerate(rows)]
        elif path == "/score":
            data = [{"index": n, "object": "score", "score": row[0]} for n, row in enumerate(rows)]
            data.reverse()
        else:
            data = [{"index": n, "relevance_score": row[0]} for n, row in enumerate(rows)]
            return as_json({"results": data, "usage": usage})
        return as_json({"object": "list", "model": MODEL, "data": data, "usage": usage})

    def _words(self, path: str, body: dict[str, Any]) -> Response:
        ids = body.get("logprob_token_ids")

        def alternatives(prompt: str | list[int]) -> dict[str, float]:
            text = prompt if isinstance(prompt, str) else " ".join(map(str, prompt))
            if ids is not None:
                return {f"token_id:{token}": self._score(f"{text}>{token}")[0] for token in ids}
            yes = self._score(text)[0]
            return (
                {" other": -3.0} if "unsure" in text else {"yes": math.log(sigmoid(yes)), "no": math.log(sigmoid(-yes))}
            )

        if path == "/v1/completions":
            choices: list[Any] = [
                {"index": n, "text": "yes", "logprobs": {"top_logprobs": [alternatives(text)]}}
                for n, text in enumerate(body["prompt"])
            ]
        else:
            found = alternatives(chat_text(body["messages"]))
            top = [{"token": token, "logprob": value} for token, value in found.items()]
            choices = [{"index": 0, "logprobs": {"content": [{"token": "yes", "logprob": 0, "top_logprobs": top}]}}]
        return as_json({"choices": choices})

    def _sglang(self, path: str, body: dict[str, Any]) -> Response | None:
        if path == "/model_info":
            return as_json({"model_path": MODEL, "weight_version": f"w{self.weights}", "is_generation": False})
        if path == "/v1/rerank":
            rows = [
                {"score": self._score(f"{body['query']}|{document}")[0], "document": document, "index": n}
                for n, document in enumerate(body["documents"])
            ]
            return as_json(rows)
        if path != "/classify":
            return None
        if self._is_long(body["text"]):
            words = "The input (300 tokens) is longer than the model's context length (256 tokens)."
            return as_json({"error": {"message": words}}, 400)
        answers = [{"embedding": self._score(text), "meta_info": {"prompt_tokens": 1}} for text in body["text"]]
        return as_json(answers if isinstance(body["text"], list) else answers[0])

    def _tei(self, path: str, body: dict[str, Any]) -> Response | None:
        if path == "/info":
            told = {"model_id": MODEL, "model_sha": f"sha{self.weights}", "model_dtype": "float32"}
            return as_json(told | {"max_client_batch_size": self.most_rows, "auto_truncate": True})
        form = list if body.get("raw_scores") else activate
        if path == "/predict":
            texts = ["|".join(entry) for entry in body["inputs"]]
            if len(texts) > self.most_rows:
                words = f"batch size {len(texts)} > maximum allowed batch size {self.most_rows}"
                return as_json({"error": words, "error_type": "Validation"}, 422)
            if any("unscorable" in text for text in texts):
                return as_json({"error": "score is NaN", "error_type": "Backend"}, 424)
            if self._is_long(texts):
                return as_json({"error": "Input validation error: `inputs` must have less than 4 tokens. Given: 9",
                                "error_type": "Validation"}, 413)  # fmt: skip
            return as_json([self._labelled(form(self._score(text))) for text in texts])
        if path == "/rerank":
            rows = [
                {"index": n, "score": form(self._score(f"{body['query']}|{text}"))[0]}
                for n, text in enumerate(body["texts"])
            ]
            return as_json(rows)
        return None

    def _labelled(self, row: list[float]) -> list[dict[str, Any]]:
        """Labels with their scores, the best first."""
        names = self.labels or [f"LABEL_{n}" for n in range(len(row))]
        pairs = [{"label": name, "score": score} for name, score in zip(names, row, strict=True)]
        return sorted(pairs, key=lambda pair: -float(str(pair["score"])))

    def _infinity(self, path: str, body: dict[str, Any]) -> Response | None:
        if path == "/models":
            return as_json({"data": [{"id": MODEL, "stats": {}, "backend": "torch"}]})
        form = list if body.get("raw_scores") else softmax
        if path == "/classify":
            data = [self._labelled(form(self._score(text))) for text in body["input"]]
            return as_json({"object": "classify", "data": data, "model": MODEL, "usage": {}})
        if path == "/rerank":
            rows = [
                {"index": n, "relevance_score": form(self._score(f"{body['query']}|{document}"))[0]}
                for n, document in enumerate(body["documents"])
            ]
            return as_json({"object": "rerank", "results": rows, "model": MODEL})
        return None

    def _openrlhf(self, path: str, body: dict[str, Any]) -> Response | None:
        if path != "/get_reward":
            return None
        scores = [self._score(query)[0] for query in body["query"]]
        return as_json({"rewards": scores, "scores": scores, "extra_logs": {}})

    def _oip(self, path: str, body: dict[str, Any]) -> Response | None:
        if path == "/v2/models/rm":
            shape = [-1, 1]
            inputs = [{"name": name, "datatype": "BYTES", "shape": shape} for name in ("PROMPT", "RESPONSE")]
            return as_json({"name": "rm", "versions": ["3"], "platform": "python", "inputs": inputs, "outputs": []})
        if path == "/v2/models/rm/config":
            return as_json({"parameters": {"content_version": {"string_value": f"c{self.weights}"}}})
        if path != "/v2/models/rm/infer":
            return None
        columns = {entry["name"]: entry["data"] for entry in body["inputs"]}
        rows = [self._score(f"{p}|{r}") for p, r in zip(columns["PROMPT"], columns["RESPONSE"], strict=True)]
        data = [number for row in rows for number in row]
        tensor = {"name": "SCORE", "datatype": "FP32", "shape": [len(rows), self.k], "data": data}
        return as_json({"model_name": "rm", "model_version": "3", "outputs": [tensor]})

    def _http(self, path: str, body: dict[str, Any]) -> Response | None:
        if path == "/many":
            results = [{"scores": self._score(f"{entry['q']}|{entry['a']}")} for entry in body["instances"]]
            return as_json({"predictions": results})
        if path == "/one":
            return as_json({"reward": {"value": self._score(f"{body['q']}|{body['a']}")[0]}})
        return None


StartServer = Callable[..., Awaitable[FakeServer]]
OpenUpstreams = Callable[..., UpstreamServer]


@pytest.fixture
async def start(anyio_backend: str) -> AsyncIterator[StartServer]:
    """Starts servers, which end with the test."""
    servers: list[FakeServer] = []

    async def start_one(kind: str, **settings: Any) -> FakeServer:
        server = FakeServer(kind, **settings)
        servers.append(server)
        await server.start()
        return server

    yield start_one
    for server in servers:
        await server.stop()


@pytest.fixture
async def upstreams(anyio_backend: str) -> AsyncIterator[OpenUpstreams]:
    """Opens upstreams, which are closed with the test."""
    opened: list[UpstreamServer] = []

    def open_some(observer: Observer = UNOBSERVED, **configs: UpstreamConfig) -> UpstreamServer:
        opened.append(UpstreamServer(configs, lambda changed: Breaker(3, time.monotonic, changed=changed), observer))
        return opened[-1]

    yield open_some
    for server in opened:
        await server.close()


def entry(server: FakeServer | list[FakeServer], protocol: str, **more: Any) -> UpstreamConfig:
    """An entry of the file for one server or several."""
    servers = server if isinstance(server, list) else [server]
    return UpstreamConfig.model_validate(
        {"protocol": protocol, "urls": [s.url for s in servers], "model": MODEL, **more}
    )


def texts(*pairs: tuple[str, str]) -> Batch:
    """A batch of prompts and responses."""
    return Batch([str(k) for k in range(len(pairs))], [p for p, _ in pairs], [r for _, r in pairs])


def soon(seconds: float = 100.0) -> float:
    """A deadline that no test comes to."""
    return asyncio.get_running_loop().time() + seconds
