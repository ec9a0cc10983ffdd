"""Microseconds of CPU of a request from its body to its answer, in this process: what an entry adds is left out.

    python loadtests/micro_score.py                 # this source tree
    python loadtests/micro_score.py ../before       # and another one, in alternating rounds

One thread, the cache's memory level, a stand-in for the model server that costs nearly nothing, metrics as in a running
service. Beside each line stands its ratio to the yardstick: an ``async def`` handler of FastAPI that reads the JSON of
one sample and answers JSON, as uvicorn drives it, without the network. Medians of rounds that take turns.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import reward_gateway
import uvicorn
import uvloop
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from reward_gateway.backends.coalescer import CallAnswer, Coalescer
from reward_gateway.backends.encoded_rows import Piece
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.backends.triton.model_config import TritonModel
from reward_gateway.backends.triton.rows import encode_rows
from reward_gateway.backends.triton.tensors import TensorRows
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cli.worker import freeze_startup_objects
from reward_gateway.gateway import Gateway
from reward_gateway.http.encode import encode_scored, timing
from reward_gateway.intake.decode import decode_as
from reward_gateway.intake.request import ScoreRequest
from reward_gateway.intake.score_intake import ScoreIntake
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope
from reward_gateway.scoring.run_recorder import RunRecorder
from reward_gateway.settings import Settings
from reward_gateway.telemetry.metrics import Metrics
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

ROOT = Path(__file__).parents[1]
ROUNDS = 7
ROUND_S = 0.15
MODELS = ("trivial", "text_preference", "text_harmless")
RECIPES = """
  trivial: {components: {score: {score: trivial}}}
"""

Work = Callable[[], Awaitable[object]]


def body_of(size: int, reward: str, **options: object) -> bytes:
    """A request of samples of about 100 bytes, or 1.1 kB where there are many."""
    words = " in boiling water for 8 minutes, then in cold water." * (20 if size > 1 else 1)
    samples = [{"prompt": "How do I boil an egg?", "response": f"Put egg {i}{words}"} for i in range(size)]
    return json.dumps({"reward": reward, "samples": samples, "options": options}).encode()


async def make_score(
    runs: RunRecorder | None = None,
) -> tuple[Callable[..., Awaitable[bytes]], Callable[[], None]]:
    """A function from a body to its answer, as ``POST /v1/score`` has it, and one that reads the monitor.

    Args:
        runs: keeps the history of training runs.
    """

    class Models:
        """Models that score in no time, behind a coalescer."""

        def __init__(self, observer: Metrics) -> None:
            self._infos = {
                name: ModelInfo(name, "1", True, ("prompt", "response"), ("score",), 1024, ("truncated",))
                for name in MODELS
            }
            self._coalescers: dict[str, Coalescer[TritonModel, TensorRows]] = {}
            for name in MODELS:
                self._coalescers[name] = Coalescer(
                    name, encode_rows, self._answer, max_calls=4, max_queued=1 << 20, observer=observer
                )

        async def _answer(self, pieces: Sequence[Piece[TensorRows]], deadline: float) -> CallAnswer:
            rows = sum(stop - start for _, start, stop in pieces)
            return CallAnswer(answers[:rows], "1")

        async def models(self) -> list[ModelInfo]:
            return list(self._infos.values())

        async def info(self, name: str) -> ModelInfo:
            return self._infos[name]

        async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
            model = TritonModel(self._infos[name], "1", required=frozenset(("response",)))
            return await self._coalescers[name].score(
                model, batch, rows, width=1, deadline=deadline, max_rows=1024, instances=1
            )

        async def close(self) -> None: ...

    answers = np.linspace(0.1, 0.9, 1024).reshape(-1, 1)
    metrics = Metrics()
    settings = Settings(max_samples=100_000, max_body_bytes=1 << 28)
    cache = MemoryCache(300_000, 3600.0, observer=metrics)
    runtime = EffectsRuntime(CachedScorer(Models(metrics), cache), observer=metrics)
    await runtime.refresh_models()
    shipped = (Path(reward_gateway.__file__).parent / "rewards.yaml").read_text()
    book = load_book((shipped + RECIPES).encode())
    metrics.rewards.register(book.plans)
    metrics.components.register(component.name for plan in book for component in plan.components)
    metrics.models.register(MODELS)
    gateway = Gateway(book, runtime, metrics, runs=runs)
    intake = ScoreIntake(gateway, settings)
    read = partial(decode_as, ScoreRequest, settings.max_nesting)
    clock = asyncio.get_running_loop().time

    async def score(body: bytes, scope: RequestScope = NO_SCOPE) -> bytes:
        started = perf_counter()
        batch, reward, options = await intake.prepare(read(body), scope, clock(), None, body_bytes=len(body))
        decode_ms = (perf_counter() - started) * 1e3
        scored = await gateway.score(batch, reward, options)
        total_ms = (perf_counter() - started) * 1e3
        return encode_scored(batch, scored, timing(scored, decode_ms, total_ms), explain=options.explain)

    return score, metrics.health.monitor.read_noted


def make_plain(body: bytes) -> Work:
    """One post to the plain handler, from the bytes on the wire to those of the answer."""
    app = FastAPI()

    @app.post("/get_reward")
    async def get_reward(request: Request) -> JSONResponse:
        data = await request.json()
        return JSONResponse({"rewards": [float(len(sample["response"])) for sample in data["samples"]]})

    class Wire(asyncio.Transport):
        """A connection to nowhere."""

        def __init__(self) -> None:
            super().__init__()
            self.answered = asyncio.Event()

        def get_extra_info(self, name: str, default: object = None) -> object:
            return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

        def write(self, data: Any) -> None:
            if data.endswith(b"}"):
                self.answered.set()

        def is_closing(self) -> bool:
            return False

        def close(self) -> None: ...
        def pause_reading(self) -> None: ...
        def resume_reading(self) -> None: ...

    config = uvicorn.Config(app, http="httptools", lifespan="off", access_log=False, timeout_keep_alive=3600)
    config.load()
    connection = HttpToolsProtocol(config, ServerState(), {})
    wire = Wire()
    connection.connection_made(wire)
    head = "POST /get_reward HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\nAccept: */*\r\nContent-Type: application/json\r\n"
    sent = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def post() -> None:
        wire.answered.clear()
        connection.data_received(sent)
        await wire.answered.wait()

    return post


async def measure() -> dict[str, float]:
    """CPU microseconds per post by name."""
    score, read_noted = await make_score()
    one = body_of(1, "trivial")
    works: dict[str, tuple[Work, int]] = {
        "plain FastAPI, one sample": (make_plain(one), 1),
        "one sample, one model, cached": (partial(score, one), 1),
        "one sample, default recipe, cached": (partial(score, body_of(1, "helpful_harmless")), 1),
        "one sample, a rule": (partial(score, body_of(1, "brevity")), 1),
        "one sample, one model, cold": (partial(score, body_of(1, "trivial", cache="off")), 1),
        "batch of 32, cached, per sample": (partial(score, body_of(32, "trivial")), 32),
        "batch of 1,024, cached, per sample": (partial(score, body_of(1024, "trivial")), 1024),
        "batch of 256, cold, per sample": (partial(score, body_of(256, "trivial", cache="off")), 256),
        "batch of 1,024, cold, per sample": (partial(score, body_of(1024, "trivial", cache="off")), 1024),
        "batch of 1,024, default recipe, per sample": (partial(score, body_of(1024, "helpful_harmless")), 1024),
        "batch of 100,000, cached, per sample": (partial(score, body_of(100_000, "trivial")), 100_000),
    }
    found: dict[str, list[float]] = {name: [] for name in works}
    freeze_startup_objects()
    for work, _ in works.values():
        await work()
    for _ in range(ROUNDS):
        for name, (work, size) in works.items():
            read_noted()
            times, started = 0, process_time()
            while process_time() - started < ROUND_S:
                for _ in range(1 if size > 100 else 20):
                    await work()
                    times += 1
            read_noted()
            found[name].append((process_time() - started) / times / size * 1e6)
    return {name: statistics.median(values) for name, values in found.items()}


def measure_tree(tree: Path) -> dict[str, float]:
    """The measurement with a tree's code, in a process of its own, which shares metrics by files as workers do."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(tree.resolve() / "service"), "PROMETHEUS_MULTIPROC_DIR": folder}
        command = [sys.executable, __file__, "--measure"]
        printed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
        found: dict[str, float] = json.loads(printed)
        return found


def main() -> None:
    if sys.argv[1:] == ["--measure"]:
        print(json.dumps(uvloop.run(measure())))
        return
    trees = [ROOT, *map(Path, sys.argv[1:])]
    runs: list[list[dict[str, float]]] = [[] for _ in trees]
    for _ in range(3 if len(trees) > 1 else 1):
        for tree, found in zip(trees, runs, strict=True):
            found.append(measure_tree(tree))
    plain = next(iter(runs[0][0]))
    print(f"{'µs of CPU (ratio to plain)':<45}" + "".join(f"{tree.resolve().name:>18}" for tree in trees))
    for name in runs[0][0]:
        cells = ""
        for found in runs:
            microseconds = statistics.median(run[name] for run in found)
            ratio = statistics.median(run[name] / run[plain] for run in found)
            cells += f"{microseconds:>10.1f} ({ratio:.2f})"
        print(f"{name:<45}{cells}")


if __name__ == "__main__":
    main()
