"""More than the gateway can do: most is answered in time, the rest is rejected at once, and nobody's batch keeps others
waiting."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator

import httpx
import psutil
import pytest

from tests.chaos.callers import Caller, GrpcCaller, HttpCaller, Ledger, load, make_responses, send_at_rate
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import SLOW, SLOW_ROW_S, ChaosStack, Launch
from tests.chaos.verdicts import at_least, at_most, exactly

pytestmark = [pytest.mark.stack, pytest.mark.anyio]

ROWS = 4
"""Samples of a request: ten times what the model can do are 250 requests a second."""


@pytest.fixture
def narrow(launch: Launch) -> ChaosStack:
    """A new stack in which few requests are worked on, and none waits long."""
    return launch("--max-in-flight", "16", "--max-queue-wait-s", "1", "--queue-timeout-s", "5")


async def ask_slow(caller: Caller, turn: int) -> None:
    await caller.score("model", [f"{SLOW} {text}" for text in make_responses(turn, ROWS)], cache="off")


async def probe(stack: ChaosStack, seconds: list[float]) -> AsyncIterator[None]:
    """Ask whether the gateway lives, ten times a second."""
    async with httpx.AsyncClient() as client:
        while True:
            began = time.monotonic()
            assert (await client.get(f"{stack.http}/livez", timeout=30)).status_code == 200
            seconds.append(time.monotonic() - began)
            await asyncio.sleep(0.1)
            yield


def make_callers(entry: str, stack: ChaosStack, ledger: Ledger, count: int) -> list[Caller]:
    if entry == "http":
        return [HttpCaller(stack.http, ledger) for _ in range(count)]
    return [GrpcCaller(stack.grpc, ledger) for _ in range(count)]


@pytest.mark.parametrize("entry", ["http", "grpc"])
async def test_ten_times_the_load(narrow: ChaosStack, entry: str, ledger: Ledger, verdict: GiveVerdict) -> None:
    """A gateway that has answered nothing yet, and does not know how fast it is. Connections are open."""
    rate = 10 / (ROWS * SLOW_ROW_S)
    callers = make_callers(entry, narrow, ledger, 200)
    for caller in callers:
        await caller.connect()
    probes: list[float] = []

    async def probe_all() -> None:
        async for _ in probe(narrow, probes):
            pass

    probing = asyncio.create_task(probe_all())
    generator, began = psutil.Process(), time.monotonic()
    worked = sum(generator.cpu_times()[:2])
    await send_at_rate(callers, ask_slow, rate, 10.0)
    seconds = time.monotonic() - began
    worked = sum(generator.cpu_times()[:2]) - worked
    goodput = ledger.statuses[200] / seconds
    probing.cancel()
    for caller in callers:
        await caller.close()
    peak, began = Ledger(), time.monotonic()
    async with load(make_callers(entry, narrow, peak, 16), ask_slow):
        await asyncio.sleep(6.0)
    most = peak.statuses[200] / (time.monotonic() - began)
    # Rejections are timed by their clients, which are not the bottleneck: a process of their own, mostly idle.
    verdict("time that the process of the clients worked", worked / seconds, at_most(0.5), "")
    verdict("answers with scores, of the most without overload", goodput / most, at_least(0.9), "")
    verdict("rejected", ledger.statuses[503], at_least(100), "")
    verdict("rejected p99, of all since the start", ledger.quantile(0.99, 503) * 1e3, at_most(50), "ms")
    verdict("health p95", sorted(probes)[int(0.95 * len(probes))] * 1e3, at_most(500), "ms")
    verdict("unanswered requests", ledger.unanswered, exactly(0), "")
    verdict("requests left in flight", narrow.metric("reward_gateway_requests_in_flight"), exactly(0), "")


@pytest.fixture(scope="module")
def plain(launch: Launch) -> ChaosStack:
    return launch()


async def test_a_burst_of_3000_calls_over_grpc(plain: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    caller = GrpcCaller(plain.grpc, ledger)
    await asyncio.gather(*(caller.score("model", [f"burst {turn}"]) for turn in range(3000)))
    await caller.close()
    verdict("answered", ledger.answered, exactly(3000), "")
    verdict("unanswered", ledger.unanswered, exactly(0), "")


async def test_a_single_post_beside_a_batch(plain: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    alone = Ledger()
    single = HttpCaller(plain.http, alone)
    for turn in range(40):
        await single.score("model", [f"{SLOW} alone {turn}"], cache="off")
    await single.close()
    batches = Ledger()
    batch = HttpCaller(plain.http, batches)
    began = time.monotonic()

    async def send_batch(caller: Caller, turn: int) -> None:
        await caller.score("model", [f"{SLOW} {text}" for text in make_responses(turn, 1024)], cache="off")

    async with load([batch], send_batch):
        single = HttpCaller(plain.http, ledger)
        for turn in range(25):
            await asyncio.sleep(1.0)
            await single.score("model", [f"{SLOW} beside {turn}"], cache="off")
        await single.close()
    rows_per_s = batches.statuses[200] * 1024 / (time.monotonic() - began)
    added = ledger.quantile(0.95, 200) - statistics.median(alone.seconds[200])
    verdict("p95 beside the batch over the median alone", added * 1e3, at_most(100), "ms")
    verdict("rows of the batches, of what the model can do", rows_per_s * SLOW_ROW_S, at_least(0.8), "")
