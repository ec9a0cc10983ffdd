"""What memory a deployment takes: each process once it has scored, and the stores per 1,000 scores, samples and jobs.

    python loadtests/bench_memory.py                     # the shipped models, about two minutes

A process has its proportional share (PSS): what it alone holds, and its part of what it shares with others. The stores
are asked for ``used_memory`` before and after, so that what Valkey itself takes is left out.
"""

import argparse
import asyncio
import os
import re
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson
import psutil
from bench_jobs import make_body
from bench_stack import Bench, serving
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from reward_gateway.local.valkey import find_server
from rich.console import Console
from rich.table import Table

PARTS: dict[str, str] = {
    "reward_gateway.cli.worker": "gateway: worker",
    "reward_gateway.cli.serve": "gateway: supervisor",
    "tritonserver": "Triton, server",
}
"""What the command line of a process holds, and what the table calls it."""

KEPT = ("text_preference", "text_harmless")


def name_process(process: psutil.Process, bench: Bench) -> str:
    """What a process of the stack is."""
    line = " ".join(process.cmdline())
    if found := re.search(r"models/repository/(\w+)/", line):
        return f"model: {found[1]}"
    named = next((name for part, name in PARTS.items() if part in line), None)
    if named is not None and process.pid != bench.pid and named == "gateway: supervisor":
        return "gateway: others"
    return named or f"gateway: {'processes for work' if 'reward_gateway' in line or 'python' in line else line[:40]}"


def weigh(bench: Bench) -> dict[str, tuple[int, int]]:
    """MiB and number of the processes of each part."""
    found: dict[str, tuple[int, int]] = {}
    for process in [psutil.Process(bench.pid), *psutil.Process(bench.pid).children(recursive=True)]:
        try:
            name, bytes_held = name_process(process, bench), process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        held, number = found.get(name, (0, 0))
        found[name] = held + bytes_held, number + 1
    return {name: (held >> 20, number) for name, (held, number) in sorted(found.items())}


@contextmanager
def valkey(socket: Path) -> Iterator[Redis]:
    """A server that may be asked for its memory, which those that ``serve`` starts refuse."""
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(socket.parent)]
    process = subprocess.Popen([str(find_server()), *options], stdout=subprocess.DEVNULL)
    try:
        client = Redis.from_url(f"unix://{socket}", retry=Retry(ConstantBackoff(0.1), 100))
        client.ping()
        yield client
    finally:
        process.terminate()
        process.wait()


def used(store: Redis) -> int:
    """Bytes that a store holds."""
    return int(store.info("memory")["used_memory"])


async def score(client: httpx.AsyncClient, reward: str, samples: int, name: str, **options: object) -> None:
    """Score so many new samples of 1 kB, 250 per request."""
    for part in range(0, samples, 250):
        body = orjson.loads(make_body(reward, 250, 1000, f"{name}-{part}")) | {"options": options}
        (await client.post("/v1/score", content=orjson.dumps(body))).raise_for_status()


async def measure_stores(bench: Bench, stores: dict[str, Redis], jobs: int) -> list[tuple[str, str, float, str]]:
    """Rows of the table: what was stored, where, KiB, and of what."""
    rows: list[tuple[str, str, float, str]] = []

    async def stored(what: str, store: str, of: str, count: float, act: Callable[[], Awaitable[None]]) -> None:
        before = used(stores[store])
        await act()
        await asyncio.sleep(8)  # what is written after the answer, and every five seconds
        rows.append((what, store, (used(stores[store]) - before) / count / 1024, of))

    async with httpx.AsyncClient(base_url=bench.http, timeout=300) as client:
        await score(client, "popularity", 250, "warm")
        await asyncio.sleep(6)
        await stored(
            "scores of one model", "scores", "1,000 scores", 4, lambda: score(client, "popularity", 4000, "one")
        )

        async def with_run() -> None:
            for step in range(200):
                body = orjson.loads(make_body("length_rule", 16, 200, f"step-{step}"))
                headers = {"X-Run": "r", "X-Run-Step": str(step)}
                (await client.post("/v1/score", content=orjson.dumps(body), headers=headers)).raise_for_status()

        await stored("history of a run", "state", "200 steps of 16 samples", 1, with_run)

        async def keyed() -> None:
            for number in range(40):
                body = make_body("length_rule", 25, 1000, f"key-{number}")
                headers = {"Idempotency-Key": f"k{number}"}
                (await client.post("/v1/score", content=body, headers=headers)).raise_for_status()

        await stored("answers under an Idempotency-Key", "state", "1,000 samples", 1, keyed)

        async def submitted() -> None:
            for number in range(jobs):
                body = make_body("length_rule", 1000, 1000, f"job-{number}")
                job = (await client.post("/v1/jobs", content=body)).raise_for_status().json()["job"]
                page: dict[str, object] = {"status": ""}
                while page["status"] != "done":
                    page = (await client.get(f"/v1/jobs/{job}", params={"wait_s": 5})).raise_for_status().json()

        await stored("finished jobs, until they expire", "state", "job of 1,000 samples of 1 kB", jobs, submitted)
    return rows


RECIPES = """
rewards:
  popularity: {components: {score: {score: text_harmless}}}
  length_rule: {components: {brevity: {score: length_penalty}}}
default: popularity
"""


def main() -> None:
    """Start the shipped models, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=10)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        valkey(Path(name, "scores")) as scores,
        valkey(Path(name, "state")) as state,
    ):
        folder, stores = Path(name), {"scores": scores, "state": state}
        (folder / "rewards.yaml").write_text(RECIPES)
        flags = {
            "rewards-file": folder / "rewards.yaml",
            "state-dir": folder / "run",
            "workers": asked.workers,
            "models": ",".join(KEPT),
            "redis-url": f"unix://{folder}/scores",
            "state-redis-url": f"unix://{folder}/state",
        }
        with serving(folder / "serve.log", 18580, 18581, flags) as bench:
            idle = weigh(bench)
            rows = asyncio.run(measure_stores(bench, stores, asked.jobs))
            busy = weigh(bench)
    table = Table("part", "processes", "MiB at the start", "MiB after scoring")
    for part, (held, number) in busy.items():
        table.add_row(part, str(number), str(idle.get(part, (0, 0))[0]), str(held))
    Console(width=120).print(table)
    table = Table("what", "store", "KiB", "per")
    for what, store, kib, of in rows:
        table.add_row(what, store, f"{kib:,.1f}", of)
    Console(width=120).print(table)
    print(f"{asked.workers} workers, models {', '.join(KEPT)}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
