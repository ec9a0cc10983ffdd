"""A gateway without keys on 127.0.0.1, a page of somebody else, and a real Chromium that opens both."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore
from starlette.types import Message, Receive, Scope, Send

from tests.browser.chromium import PROGRAM, Chromium, Tab, started
from tests.clock import until
from tests.http.conftest import KNOWN, RECIPES, Letters


@dataclass
class Loadable(Letters):
    """A model server that also unloads models."""

    unloaded: list[str] = field(default_factory=list)

    @property
    def control(self) -> "Loadable":
        return self

    async def unload(self, name: str, timeout_s: float) -> None:
        self.unloaded.append(name)


@dataclass(frozen=True)
class Received:
    """One request as the gateway got it, and its answer."""

    method: str
    path: str
    headers: dict[str, str]
    status: int

    @property
    def foreign(self) -> bool:
        """Whether a page of somebody else sent it."""
        site, origin = self.headers.get("sec-fetch-site"), self.headers.get("origin")
        host = self.headers["host"]
        return site in ("cross-site", "same-site") or "rebound" in host or origin not in (None, f"http://{host}")


@dataclass
class Victim:
    """A running gateway, and all that it was sent."""

    port: int
    models: Loadable
    received: list[Received]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def changes(self) -> set[str]:
        """What has been changed since it started: streams that were written, and models that were unloaded."""
        async with httpx.AsyncClient(base_url=self.url) as program:
            listed = (await program.get("/v1/state")).json()["state"]
        return {row["name"] for row in listed} | {f"unloaded {name}" for name in self.models.unloaded}


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Victim]:
    """A gateway with the default settings on a free port."""
    models = Loadable()
    settings = Settings(state_dir=folder, model_repository=folder)
    runtime = EffectsRuntime(CachedScorer(models, NullCache()), StateStore.in_process(), known_models=KNOWN)
    app = create_app(Gateway(load_book(RECIPES, KNOWN), runtime), settings)
    received: list[Received] = []

    async def recording(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = {name.decode(): value.decode() for name, value in scope["headers"]}
                received.append(Received(scope["method"], scope["path"], headers, message["status"]))
            await send(message)

        await app(scope, receive, send_recorded)

    async with listening(recording) as port:
        yield Victim(port, models, received)


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[int]:
    """An application on a free port of 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="wsproto", lifespan="off"))
        running = asyncio.create_task(server.serve([bound]))
        await until(lambda: server.started)
        try:
            yield bound.getsockname()[1]
        finally:
            server.should_exit = server.force_exit = True
            await running


@pytest.fixture(scope="session")
async def chromium(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chromium]:
    """Chromium, to which every name that ends in ``.test`` is this machine."""
    if PROGRAM is None:
        if os.environ.get("CHROMIUM_REQUIRED"):
            pytest.fail("there is no Chromium on this machine: apt-get install chromium")
        pytest.skip("needs Chromium: apt-get install chromium, then make test-browser")
    rules = "--host-resolver-rules=MAP *.test 127.0.0.1"
    async with started(tmp_path_factory.mktemp("chromium"), rules) as browser:
        yield browser


@pytest.fixture
async def tab(chromium: Chromium) -> AsyncIterator[Tab]:
    async with chromium.tab() as found:
        yield found


@pytest.fixture
async def victim(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Victim]:
    async with serving(tmp_path) as found:
        yield found


@pytest.fixture
async def elsewhere(anyio_backend: str) -> AsyncIterator[int]:
    """The port of somebody else's server, whose every page is empty."""

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html; charset=utf-8")]}
        )
        await send({"type": "http.response.body", "body": b"<!doctype html><title>elsewhere</title>"})

    async with listening(page) as port:
        yield port
