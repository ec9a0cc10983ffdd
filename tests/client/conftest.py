"""A real service (HTTP by uvicorn, gRPC) on free ports in a thread of its own, over a gateway that scores by rules."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
import uvicorn
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.backends.port import ModelAnswer, ModelInfo, ModelServer
from reward_gateway.cache.null import NullCache
from reward_gateway.cache.port import ScoreCache
from reward_gateway.errors import NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.grpc import server as grpc_server
from reward_gateway.http.app import create_app
from reward_gateway.http.encode import encode_scored
from reward_gateway.jobs.runner import JobRunner
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModels
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore
from reward_gateway.traffic.guard import Traffic

RECIPES = """
rewards:
  brief:
    description: Short answers.
    components:
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.5}}
  shaped:
    components:
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.5}, transforms: [{affine: {shift: 1.0}}]}
    guards: [empty_response]
default: brief
"""


class NoModels:
    """A model server without models."""

    async def models(self) -> list[ModelInfo]:
        return []

    async def info(self, name: str) -> ModelInfo:
        raise NotFound("there are no models here")

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        raise NotFound("there are no models here")

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


BROKEN, ANSWERED_AND_BROKEN = 0, 1
"""In a refusal's place: the connection breaks before the service was asked, or once it has answered."""


@dataclass
class Service:
    """Where it runs, what it was asked, and what it is told to answer in place of the truth."""

    url: str = ""
    grpc_url: str = ""
    requests: list[tuple[str, int]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def wrapped(self, app: Any) -> Callable[..., Awaitable[None]]:
        async def seen(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            headers = dict(scope["headers"])
            self.requests.append((scope["path"], int(headers.get(b"content-length", b"0"))))
            key = headers.get(b"idempotency-key")
            self.keys.append(None if key is None else key.decode())
            self.connections.add(tuple(scope["client"]))
            if self.refusals:
                status, headers = self.refusals.pop(0)
                if status in (BROKEN, ANSWERED_AND_BROKEN):
                    if status == ANSWERED_AND_BROKEN:
                        await app(scope, receive, _swallow)
                    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
                    await send({"type": "http.response.body", "body": b"{", "more_body": True})
                    raise ConnectionAbortedError  # the server closes the connection in the middle of the answer
                raw = [(name.encode(), value.encode()) for name, value in headers.items()]
                await send({"type": "http.response.start", "status": status, "headers": raw})
                await send({"type": "http.response.body", "body": b"not ours"})
                return
            await app(scope, receive, send)

        return seen


async def _swallow(message: Any) -> None:
    """Take an answer that its client never gets."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine is too slow for the time limit."""
    for module in ("sync", "aio"):
        monkeypatch.setattr(f"reward_gateway.client.{module}.READY_S", 60.0)


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    yield from serving(RECIPES)


def serving(
    recipes: str,
    models: ModelServer | None = None,
    cache: ScoreCache | None = None,
    known: KnownModels | None = None,
    state_url: str = "",
    ports: tuple[int, int] = (0, 0),
    judges: Callable[[], Judges] | None = None,
) -> Iterator[Service]:
    """The service while the generator waits.

    Args:
        state_url: of a store of state; empty: it is kept in the process.
        ports: of HTTP and gRPC; 0 takes any free one.
        judges: makes the judges, in the loop that asks them.
    """
    service, scorer = Service(), CachedScorer(models or NoModels(), NullCache() if cache is None else cache)
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        settings = Settings(max_text_chars=1000, workers=1, keep_samples=10_000)
        state = StateStore.connect(state_url, timeout_s=60.0) if state_url else StateStore.in_process()
        asked = None if judges is None else judges()
        runtime = EffectsRuntime(scorer, state, known_models=known, judges=asked)
        gateway = Gateway(load_book(recipes, known), runtime)
        traffic = Traffic.of(settings)
        app = service.wrapped(create_app(gateway, settings, traffic=traffic))
        http = uvicorn.Server(uvicorn.Config(app, port=ports[0], log_config=None, ws="none"))
        grpc = await grpc_server.start(gateway, settings, traffic, port=ports[1])
        runner = JobRunner(gateway, settings, traffic.admission, encode_scored)
        runner.start()
        task = asyncio.create_task(http.serve())
        while not http.started:
            await asyncio.sleep(0.01)
        port = http.servers[0].sockets[0].getsockname()[1]
        service.url, service.grpc_url = f"http://127.0.0.1:{port}", f"grpc://127.0.0.1:{grpc.port}"
        ready.set()
        while not stop.is_set():
            await asyncio.sleep(0.02)
        traffic.drain.begin()
        http.should_exit = True
        await task
        await runner.close()
        await state.close()
        await grpc.stop(0)

    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(120)
    yield service
    stop.set()
    thread.join(120)
    structlog.configure(**before)
    assert not thread.is_alive()


@pytest.fixture
def service(running: Service) -> Service:
    """The service, with a clean record."""
    running.requests.clear()
    running.keys.clear()
    running.connections.clear()
    running.refusals.clear()
    return running


@pytest.fixture(params=["http", "grpc"])
def url(service: Service, request: pytest.FixtureRequest) -> str:
    """The service's address, once over each transport."""
    return service.url if request.param == "http" else service.grpc_url
