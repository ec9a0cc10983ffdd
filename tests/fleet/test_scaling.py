"""One, two, four and eight gateways under the same load: what a sample costs each part, as a table."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.chaos.callers import HttpCaller, Ledger, load
from tests.chaos.conftest import GiveVerdict
from tests.chaos.verdicts import at_most, exactly
from tests.fleet.fleet import Fleet, Server

pytestmark = pytest.mark.anyio

GATEWAYS = (1, 2, 4, 8)
SECONDS = float(os.environ.get("FLEET_SECONDS", "6"))
CALLERS = 16
WORKLOADS = {"batches of 64, cached": (64, 64), "single samples, cached": (1, 1024), "batches of 64, new": (64, 0)}
"""Name -> samples of a request, and how many requests' texts are asked again and again (0: every text is new). No two
bodies are the same, so that no answer is given again as it was."""


@dataclass(frozen=True)
class Cost:
    """What the samples of a measurement cost."""

    workload: str
    gateways: int
    samples: int
    seconds: float
    gateway_cpu_s: float
    redis_cpu_s: float
    redis_commands: int
    redis_reads: int
    failed: int

    @property
    def cells(self) -> list[str]:
        per = 1e6 / self.samples
        return [
            self.workload,
            str(self.gateways),
            f"{self.samples / self.seconds:,.0f}",
            f"{self.gateway_cpu_s * per:.0f}",
            f"{self.redis_cpu_s * per:.1f}",
            f"{self.redis_commands / self.samples:.3f}",
            f"{self.redis_reads / self.samples:.3f}",
        ]


HEAD = ("load", "gateways", "samples/s", "gateway CPU, µs", "Redis CPU, µs", "Redis commands", "Redis round trips")


def read_cpu(servers: list[Server]) -> float:
    """Seconds of CPU that servers and what they started have used."""
    used = 0.0
    for server in servers:
        for process in server.list_processes():
            times = process.cpu_times()
            used += times.user + times.system
    return used


def read_redis(fleet: Fleet) -> tuple[int, int]:
    """Commands, and reads of a connection (a pipeline is one), of both stores."""
    commands = reads = 0
    for name in fleet.stores:
        stats: Any = fleet.store(name).info("stats")
        commands += int(stats["total_commands_processed"])
        reads += int(stats["total_reads_processed"])
    return commands, reads


def make_body(turn: int, texts: int, size: int) -> dict[str, Any]:
    """A request; its samples' ids make it another body than all before."""
    samples = [
        {"id": f"{turn}.{place}", "prompt": "p", "response": f"answer {texts} {place} {'word ' * 20}"}
        for place in range(size)
    ]
    return {"reward": "model", "samples": samples, "options": {"explain": False}}


async def measure_idle(fleet: Fleet) -> float:
    """Share of a core that a gateway needs without any request."""
    before = read_cpu(fleet.gateways)
    await asyncio.sleep(SECONDS)
    return (read_cpu(fleet.gateways) - before) / SECONDS / len(fleet.gateways)


async def measure(fleet: Fleet, workload: str, gateways: int) -> Cost:
    size, different = WORKLOADS[workload]
    ledger = Ledger()
    callers = [HttpCaller(fleet.http, ledger) for _ in range(CALLERS)]
    stores = list(fleet.stores.values())

    async def ask(caller: Any, turn: int) -> None:
        await caller.post(
            "/v1/score", make_body(turn, turn % different if different else 10**8 * gateways + turn, size)
        )

    for texts in range(different):  # each is in the shared cache before the time begins
        await callers[0].post("/v1/score", make_body(-texts - 1, texts, size))
    async with load(callers, ask):
        await asyncio.sleep(1.0)
        answered, began = ledger.statuses[200], time.monotonic()
        cpu, redis_cpu, (commands, reads) = read_cpu(fleet.gateways), read_cpu(stores), read_redis(fleet)
        await asyncio.sleep(SECONDS)
        samples, seconds = size * (ledger.statuses[200] - answered), time.monotonic() - began
        after, redis_after = read_cpu(fleet.gateways), read_cpu(stores)
        commands_after, reads_after = read_redis(fleet)
    failed = ledger.answered - ledger.statuses[200] + ledger.unanswered
    return Cost(
        workload,
        gateways,
        samples,
        seconds,
        after - cpu,
        redis_after - redis_cpu,
        commands_after - commands,
        reads_after - reads,
        failed,
    )


async def test_a_sample_costs_the_same_however_many_gateways_there_are(
    fleet: Fleet, verdict: GiveVerdict, report: Callable[[str], None]
) -> None:
    """Throughput is for information: the machine's cores are shared by gateways, stores, Tritons and callers."""
    costs: list[Cost] = []
    idle: dict[int, float] = {}
    for gateways in GATEWAYS:
        await asyncio.to_thread(fleet.start_gateways, gateways, cache_memory_entries=0)
        idle[gateways] = await measure_idle(fleet)
        costs += [await measure(fleet, workload, gateways) for workload in WORKLOADS]
    rows = [list(HEAD), ["---"] * len(HEAD), *(cost.cells for cost in sorted(costs, key=lambda cost: cost.workload))]
    report("\n".join(f"| {' | '.join(row)} |" for row in rows))
    report(f"Without requests a gateway needs {100 * idle[1]:.1f} % of a core (of eight, each {100 * idle[8]:.1f} %).")
    figures = Path(os.environ["FLEET"]).with_name("figures.json")
    figures.parent.mkdir(parents=True, exist_ok=True)
    found = {"cores": psutil.cpu_count(), "idle_core_share": idle[1], "costs": [asdict(cost) for cost in costs]}
    figures.write_text(json.dumps(found, indent=1))
    verdict("requests that failed", sum(cost.failed for cost in costs), exactly(0))
    trips = [64 * cost.redis_reads / cost.samples for cost in costs if cost.workload == "batches of 64, cached"]
    verdict("round trips to Redis per request of 64 cached samples", max(trips), at_most(2.0))
