"""A soak: mixed load for ``SOAK_S`` seconds; memory, file descriptors and latency do not grow."""

import asyncio
import contextlib
import os
import statistics
import time
from dataclasses import dataclass, field
from itertools import combinations

import psutil
import pytest

from tests.chaos.callers import Caller, GrpcCaller, HttpCaller, Ledger, load, make_responses
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import ChaosStack, Launch
from tests.chaos.verdicts import at_most, exactly

SOAK_S = float(os.environ.get("SOAK_S", "600"))
EVERY_S = max(1.0, SOAK_S / 120)
WARM_UP, WARM_UP_S = 10_000, 90.0
"""Requests, sent as fast as they are answered for so many seconds at most, in which buffers and windows grow to their
size; only afterwards is memory looked at."""

pytestmark = [pytest.mark.stack, pytest.mark.anyio, pytest.mark.timeout(SOAK_S + WARM_UP_S + 300)]


@dataclass
class Series:
    """Figures over time."""

    at: list[float] = field(default_factory=list)
    figures: list[float] = field(default_factory=list)

    def add(self, at: float, figure: float) -> None:
        self.at.append(at)
        self.figures.append(figure)

    def slope_per_minute(self) -> float:
        """The median slope of all pairs of points (Theil and Sen), without the first third, in which caches fill."""
        points = list(zip(self.at, self.figures, strict=True))[len(self.at) // 3 :]
        slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2)]
        return statistics.median(slopes) * 60 if slopes else float("nan")

    def late_by_early(self) -> float:
        """The median of the last third by that of the middle third."""
        third = len(self.figures) // 3
        return statistics.median(self.figures[2 * third :]) / statistics.median(self.figures[third : 2 * third])


def name_of(process: psutil.Process) -> str:
    """The part that a process is."""
    command = " ".join(process.cmdline())
    for words, name in (("cli.worker", "worker"), ("tritonserver", "Triton"), ("python_backend_stub", "model")):
        if words in command:
            return name
    return f"Valkey ({os.path.basename(process.cwd())})" if "valkey" in process.name() else "other"


async def ask_mixed(caller: Caller, turn: int) -> None:
    """Rules, a model (cached or not), a statistic, a malformed request, a client that vanishes."""
    match turn % 8:
        case 0 | 1 | 2:
            await caller.score("rule", make_responses(turn, 1 + turn % 16))
        case 3 | 4:
            await caller.score("model", make_responses(turn % 2000, 1 + turn % 4))
        case 5:
            await caller.score("model", make_responses(turn), cache="off")
        case 6 if isinstance(caller, HttpCaller):
            sample = {"prompt": "p", "response": "r", "features": {"mine": float(turn % 11)}}
            body = {"reward": "counted", "samples": [sample]}
            await caller.post("/v1/score", body, {"Idempotency-Key": f"soak-{turn}"})
        case 7 if isinstance(caller, HttpCaller):
            await leave_early(caller, turn)


async def leave_early(caller: HttpCaller, turn: int) -> None:
    """A client that does not wait, or whose request is no JSON; neither is in the ledger."""
    other = HttpCaller(caller.base, Ledger(), patience_s=0.001 * (turn % 3 + 1))
    await other.post("/v1/score", {"reward": "model", "samples": [{"prompt": "p", "response": 3 if turn % 2 else "r"}]})
    await other.close()


@dataclass
class Watch:
    """Figures of a stack over time.

    Attributes:
        memory: MiB of the processes, by their part.
        files: open files of all.
        latency: median of the answers with scores, in milliseconds.
        work: CPU time of the workers per answer, in milliseconds; other work on the machine hardly changes it.
    """

    memory: dict[str, Series] = field(default_factory=dict)
    files: Series = field(default_factory=Series)
    latency: Series = field(default_factory=Series)
    work: Series = field(default_factory=Series)

    async def run(self, stack: ChaosStack, ledger: Ledger) -> None:
        """Note figures until cancelled."""
        began, cpu_s, answered = time.monotonic(), 0.0, 0
        while True:
            at = time.monotonic() - began
            cpu_before, answered_before = cpu_s, answered
            rss: dict[str, float] = {}
            descriptors, cpu_s = 0, 0.0
            for process in await asyncio.to_thread(stack.processes):
                with contextlib.suppress(psutil.Error):
                    name = name_of(process)
                    rss[name] = rss.get(name, 0.0) + process.memory_info().rss / 2**20
                    descriptors += process.num_fds()
                    cpu_s += sum(process.cpu_times()[:2]) if name == "worker" else 0.0
            for name, mib in rss.items():
                self.memory.setdefault(name, Series()).add(at, mib)
            self.files.add(at, descriptors)
            answered = ledger.answered
            if at and answered > answered_before:
                self.work.add(at, (cpu_s - cpu_before) / (answered - answered_before) * 1e3)
            seconds, ledger.seconds[200] = ledger.seconds.get(200, []), []
            if at and seconds:
                self.latency.add(at, statistics.median(seconds) * 1e3)
            await asyncio.sleep(EVERY_S)


def callers_of(stack: ChaosStack, ledger: Ledger) -> list[Caller]:
    return [*(HttpCaller(stack.http, ledger) for _ in range(4)), GrpcCaller(stack.grpc, ledger)]


async def test_soak(launch: Launch, ledger: Ledger, verdict: GiveVerdict) -> None:
    stack = await asyncio.to_thread(launch, "--workers", "2")
    async with load(callers_of(stack, ledger), ask_mixed):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WARM_UP_S):
                while ledger.answered < WARM_UP:
                    await asyncio.sleep(1.0)
    watch = Watch()
    watching = asyncio.create_task(watch.run(stack, ledger))
    async with load(callers_of(stack, ledger), ask_mixed, 0.04):
        await asyncio.sleep(SOAK_S)
    watching.cancel()
    for name, series in sorted(watch.memory.items()):
        verdict(f"memory of {name}, slope", series.slope_per_minute(), at_most(1.0), "MiB/min")
    verdict("file descriptors, slope", watch.files.slope_per_minute(), at_most(0.5), "per min")
    verdict("CPU time per answer, last third by middle third", watch.work.late_by_early(), at_most(1.3), "")
    verdict("median latency, last third by middle third", watch.latency.late_by_early(), at_most(3), "")
    verdict("unanswered requests", ledger.unanswered, exactly(0), "")
    verdict("requests in flight at the end", stack.metric("reward_gateway_requests_in_flight"), exactly(0), "")
