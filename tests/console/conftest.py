"""The console over a real gateway: as a client in this process, or served to a real Chromium."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, async_playwright
from reward_gateway.admin.models import ModelAdmin
from reward_gateway.admin.stores import StoreWatch
from reward_gateway.backends.port import ModelInfo
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cli.reloading import register_labels
from reward_gateway.cli.worker import make_console
from reward_gateway.console import draft, old_and_new
from reward_gateway.console.console import Console
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.http.server import HttpServer
from reward_gateway.kept_samples.keeper import SampleKeeper
from reward_gateway.kept_samples.store import Bounds
from reward_gateway.recipes.book import load_book
from reward_gateway.runs.history import RunHistory
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.traffic.guard import Traffic

from tests.browser.chromium import PROGRAM
from tests.clock import LONGEST_WAIT_S, until
from tests.console.browser import Watched
from tests.http.conftest import KNOWN, READS, RECIPES, Letters

KEYS = """
keys:
  - {name: researcher, key: key-of-researcher, rights: [score]}
  - {name: operator, key: key-of-operator, rights: [admin], rate: 6000/minute}
  - {name: uploader, key: key-of-uploader, rights: [state]}
"""

MORE_RECIPES = """
  compared:
    description: Each response beside the others to its prompt.
    components:
      quality: {score: letters, transforms: [{affine: {scale: 0.1}}]}
      brevity: {score: length_penalty, params: {free_words: 2, per_word: 0.25}}
    combine: {weighted_sum: {weights: {quality: 2.0, brevity: 0.5}}}
    group: {normalize: zscore}
"""


class Listed(Letters):
    """A model server whose list leaves out the models that it lost."""

    async def models(self) -> list[ModelInfo]:
        return [await self.info(name) for name in READS if self.away or name not in self.lost]


@dataclass
class Pages:
    """An application with its console, and what is behind it."""

    app: FastAPI
    console: Console
    gateway: Gateway
    models: Letters
    traffic: Traffic
    telemetry: Telemetry
    settings: Settings

    def client(self, **options: Any) -> httpx.AsyncClient:
        """A browser without scripts: it keeps cookies and follows no redirection by itself."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", **options)


def build(state: StateStore | None = None, recipes: str | None = None, **options: Any) -> Pages:
    """The application under some settings."""
    settings, telemetry, models = Settings(**options), Telemetry(), Listed()
    cache = MemoryCache(1000, 60.0, observer=telemetry.metrics)
    runtime = EffectsRuntime(CachedScorer(models, cache), state or StateStore.in_process(), known_models=KNOWN)
    book = load_book(recipes or RECIPES.replace("default: plain", MORE_RECIPES + "default: plain"), KNOWN)
    gateway = Gateway(book, runtime, telemetry.metrics)
    register_labels(telemetry, gateway)
    traffic = Traffic.of(settings, telemetry.metrics)
    admin, stores = ModelAdmin(gateway, settings), StoreWatch({}, telemetry.metrics)
    runs = RunHistory.in_process(settings.run_history_bytes)
    gateway.runs = runs
    samples = SampleKeeper.in_process(Bounds.of(settings)) if settings.keep_samples else None
    gateway.samples = samples
    console = make_console(gateway, settings, telemetry, traffic, admin, stores, runs, samples)
    shown = console if settings.console else None
    app = create_app(gateway, settings, telemetry, traffic, None, admin, stores, runs, shown, samples)
    return Pages(app, console, gateway, models, traffic, telemetry, settings)


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Pages]:
    pages = build(**options)
    yield pages
    await pages.gateway.close()


Serve = Callable[..., AbstractAsyncContextManager[Pages]]


@pytest.fixture
def serve() -> Serve:
    """``async with serve(root_path="/rewards") as pages``."""
    return serving


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    """The console without keys."""
    async with serving() as found:
        yield found


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.yaml"
    path.write_text(KEYS)
    path.chmod(0o600)
    return path


@pytest.fixture
async def guarded(keys_file: Path) -> AsyncIterator[Pages]:
    """The console with API keys."""
    async with serving(api_keys_file=keys_file) as found:
        yield found


class QuietServer(HttpServer):
    """The server, which listens to no signal: it may be in any thread."""

    capture_signals = contextlib.nullcontext  # type: ignore[assignment]


@asynccontextmanager
async def listening(pages: Pages) -> AsyncIterator[str]:
    """The application on a free port of 127.0.0.1; the address."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = QuietServer(pages.app, pages.settings, pages.traffic.drain)
        running = asyncio.create_task(server.serve([bound]))
        await until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.leave()
            server.leave()
            await running


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """What a person would not wait for may take as long as anything else: a check starts a worker process first."""
    with pytest.MonkeyPatch.context() as patch:
        for module, limit in ((draft, "CHECK_S"), (draft, "LOADING_S"), (old_and_new, "TRIAL_S")):
            patch.setattr(module, limit, LONGEST_WAIT_S)
        yield


@pytest.fixture(scope="session")
async def chromium(anyio_backend: str) -> AsyncIterator[Browser]:
    """Debian's Chromium, driven by Playwright."""
    if PROGRAM is None:
        if os.environ.get("CHROMIUM_REQUIRED"):
            pytest.fail("there is no Chromium on this machine: apt-get install chromium")
        pytest.skip("needs Chromium: apt-get install chromium, then make test-browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    """The address of one service for all tests in a browser, which change nothing that the others see.

    It runs on a loop of its own: other tests of the session put the clock of theirs forward.
    """
    addresses: Queue[str] = Queue()
    stops: list[Callable[[], object]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        stops.append(partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set))
        async with serving() as pages, listening(pages) as address:
            addresses.put(address)
            await stop.wait()

    thread = Thread(target=partial(asyncio.run, serve()))
    thread.start()
    yield addresses.get(timeout=LONGEST_WAIT_S)
    stops[0]()
    thread.join()


@pytest.fixture
async def tab(chromium: Browser, service: str) -> AsyncIterator[Watched]:
    """A tab that notes what no page of ours may do, and fails the test for it."""
    async with Watched.open_tab(chromium, service) as found:
        yield found
