"""The store of state dies, hangs or forgets: what was answered counts once, and nothing begins anew unnoticed."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.chaos.callers import Answer, Caller, HttpCaller, Ledger, load, make_responses
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import WITHOUT_TRITON, ChaosStack, Launch, frozen, wait_until
from tests.chaos.verdicts import at_least, at_most, exactly
from tests.valkey import Valkey

pytestmark = [pytest.mark.stack, pytest.mark.anyio]

STREAM = "/v1/state/moments/chaos"
KILLS = 5
"""After more, `serve` waits half a minute before it starts the store again."""
FREEZE_S = 8.0
"""Longer than a request waits for the store."""


class Counting:
    """Sends numbers to a running statistic and keeps how many were answered.

    Attributes:
        answered: samples whose request was answered 200.
        refused: error codes of the other answers.
    """

    def __init__(self, stack: ChaosStack) -> None:
        self.stack = stack
        self.answered = 0
        self.refused: dict[str, int] = {}

    async def ask(self, caller: Caller, turn: int) -> bool:
        """One request of one to three samples; whether they were counted."""
        assert isinstance(caller, HttpCaller)
        answer = await caller.post("/v1/score", make_counted(turn))
        if answer is not None:
            self.note(answer, turn)
        return answer is not None and answer.status == 200

    def note(self, answer: Answer, turn: int) -> None:
        if answer.status == 200:
            self.answered += len(make_counted(turn)["samples"])
        else:
            code = answer.json()["error"]["code"]
            self.refused[code] = self.refused.get(code, 0) + 1

    def stored(self) -> float:
        """How many samples the statistic has seen."""
        answer = httpx.get(self.stack.http + STREAM, timeout=30)
        return float(answer.json()["value"]["count"]) if answer.is_success else float("nan")


def make_counted(turn: int) -> dict[str, Any]:
    """A request whose samples are counted."""
    samples = [{"prompt": "p", "response": "r", "features": {"mine": float(k + turn % 7)}} for k in range(1 + turn % 3)]
    return {"reward": "counted", "samples": samples}


def callers_of(stack: ChaosStack, ledger: Ledger, count: int = 4) -> list[Caller]:
    return [HttpCaller(stack.http, ledger) for _ in range(count)]


@pytest.fixture
def two_workers(launch: Launch) -> ChaosStack:
    """Two workers on an embedded store of state."""
    return launch("--workers", "2", *WITHOUT_TRITON)


async def come_back(counting: Counting, seconds: float = 60.0) -> float:
    """Seconds until the statistic is counted again: until the first of ten requests in a row that are counted."""
    loop, caller = asyncio.get_running_loop(), HttpCaller(counting.stack.http, Ledger())
    began = first = loop.time()
    in_a_row = 0
    while in_a_row < 10:
        assert loop.time() - began < seconds, "state does not come back"
        in_a_row = in_a_row + 1 if await counting.ask(caller, 0) else 0
        if in_a_row == 1:
            first = loop.time()
        await asyncio.sleep(0.05)
    await caller.close()
    return first - began


async def test_the_store_of_state_is_killed(two_workers: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    counting = Counting(two_workers)
    async with load(callers_of(two_workers, ledger), counting.ask, 0.01):
        await asyncio.sleep(1.0)
        os.kill(two_workers.state(), signal.SIGKILL)
        seconds = await come_back(counting)
        await asyncio.sleep(1.0)
    stored = await asyncio.to_thread(counting.stored)
    verdict("until state is kept again", seconds, at_most(15), "s")
    # A write may have been made whose answer was lost with the server: such a request is answered 503.
    verdict("samples answered and not counted", max(0.0, counting.answered - stored), exactly(0), "")
    verdict("samples counted without an answer", stored - counting.answered, at_most(3 * 4), "")
    verdict(
        "refused otherwise than state_unavailable", len({*counting.refused} - {"state_unavailable"}), exactly(0), ""
    )


@pytest.fixture
def busy_disk(tmp_path: Path) -> Iterator[None]:
    """Two processes that write and sync without pause, where the stack writes."""
    write = "while :; do dd if=/dev/zero of=%s bs=1M count=96 conv=fsync status=none; done"
    loops = [
        subprocess.Popen(["/bin/sh", "-c", write % (tmp_path / f"zeros{i}")], start_new_session=True) for i in range(2)
    ]
    yield
    for loop in loops:
        os.killpg(loop.pid, signal.SIGKILL)
        loop.wait()


@pytest.mark.usefixtures("busy_disk")
async def test_the_store_of_state_is_killed_while_the_disk_is_busy(
    two_workers: ChaosStack, ledger: Ledger, verdict: GiveVerdict
) -> None:
    """What was answered is kept, so that it never counts as lost, which an operator would have to accept."""
    counting, slowest = Counting(two_workers), 0.0
    async with load(callers_of(two_workers, ledger), counting.ask, 0.01):
        for _ in range(KILLS):
            await asyncio.sleep(2.5)
            os.kill(two_workers.state(), signal.SIGKILL)
            slowest = max(slowest, await come_back(counting))
    stored = await asyncio.to_thread(counting.stored)
    verdict("until state is kept again, at worst", slowest, at_most(15), "s")
    verdict("samples answered and not counted", max(0.0, counting.answered - stored), exactly(0), "")
    verdict("samples counted without an answer", stored - counting.answered, at_most(3 * 4 * KILLS), "")


async def test_the_store_of_state_hangs(two_workers: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    counting = Counting(two_workers)
    async with load(callers_of(two_workers, ledger), counting.ask, 0.01):
        await asyncio.sleep(1.0)
        with frozen(two_workers.state()):
            await asyncio.sleep(FREEZE_S)
        seconds = await come_back(counting)
    stored = await asyncio.to_thread(counting.stored)
    verdict("until state is kept again", seconds, at_most(15), "s")
    verdict("samples answered and not counted, or the reverse", abs(counting.answered - stored), exactly(0), "")
    verdict("slowest answer", ledger.quantile(1.0), at_most(FREEZE_S + 4), "s")
    verdict("refused while it hangs", counting.refused.get("state_unavailable", 0), at_least(1), "")


async def test_the_store_of_state_loses_its_files(
    two_workers: ChaosStack, ledger: Ledger, verdict: GiveVerdict
) -> None:
    counting = Counting(two_workers)
    async with load(callers_of(two_workers, ledger), counting.ask, 0.01):
        await asyncio.sleep(1.0)
        pid = two_workers.state()
        with frozen(pid):  # so that its files are gone before it starts again
            for files in Path(psutil.Process(pid).cwd()).glob("appendonly*"):
                shutil.rmtree(files)
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(wait_until, lambda: two_workers.readyz()["stores"].get("state") == "lost")
        before = counting.answered
        rules = Ledger()
        async with load([HttpCaller(two_workers.http, rules)], ask_rule, 0.01):
            await asyncio.sleep(3.0)
        after_loss = counting.answered - before
        workers_before = two_workers.workers()
        os.kill(workers_before[0], signal.SIGKILL)  # one that knows nothing joins
        await asyncio.to_thread(wait_until, lambda: len({*two_workers.workers()} - {*workers_before}) == 1)
        await asyncio.sleep(2.0)
        after_restart = counting.answered - before
        accepted = await asyncio.to_thread(httpx.post, f"{two_workers.http}/v1/state:accept-reset")
        before = counting.answered
        seconds = await come_back(counting)
    stored = await asyncio.to_thread(counting.stored)
    verdict("samples counted from nothing, unnoticed", after_loss, exactly(0), "")
    verdict("the same, with a worker that knew nothing", after_restart, exactly(0), "")
    verdict("rules refused meanwhile", rules.answered - rules.statuses[200], exactly(0), "")
    verdict("accepted by the operator", accepted.json()["accepted"], exactly(1), "")
    verdict("until state is kept again, once accepted", seconds, at_most(5), "s")
    verdict(
        "samples answered and not counted, or the reverse", abs(counting.answered - before - stored), exactly(0), ""
    )


async def ask_rule(caller: Caller, turn: int) -> None:
    await caller.score("rule", make_responses(turn))


async def test_the_store_of_state_is_flushed(
    launch: Launch, tmp_path: Path, ledger: Ledger, verdict: GiveVerdict
) -> None:
    valkey = Valkey(tmp_path)
    valkey.start()
    try:
        stack = await asyncio.to_thread(launch, "--workers", "2", "--state-redis-url", valkey.url, *WITHOUT_TRITON)
        counting = Counting(stack)
        flushed = Counting(stack)
        async with load(callers_of(stack, ledger), counting.ask, 0.01):
            await asyncio.sleep(2.0)
            with valkey.client() as client:
                client.flushall()
            await asyncio.sleep(0.5)  # those that were on their way have been answered
            before = counting.answered
            await asyncio.sleep(3.0)
            flushed.answered = counting.answered - before
        verdict("samples counted from nothing, unnoticed", flushed.answered, exactly(0), "")
        verdict("refused", counting.refused.get("state_unavailable", 0), at_least(10), "")
        with valkey.client() as client:
            kept: Any = client.keys("*moments*")
        verdict("statistics that began anew", len(kept), exactly(0), "")
    finally:
        valkey.kill()


async def test_upstream_and_stores_hang_at_once(launch: Launch, ledger: Ledger, verdict: GiveVerdict) -> None:
    stack = await asyncio.to_thread(launch)
    (worker,) = stack.workers()

    async def ask(caller: Caller, turn: int) -> None:
        await caller.score("model", make_responses(turn), deadline_ms=2000)

    async with load(callers_of(stack, Ledger()), ask):
        await asyncio.sleep(3.0)
    with frozen(stack.triton()), frozen(stack.cache()), frozen(stack.state()):
        before = psutil.Process(worker).memory_info().rss
        early, late = Ledger(), Ledger()
        for part in (early, ledger, late):
            async with load(callers_of(stack, part, 32), ask):
                await asyncio.sleep(10.0)
        grown = psutil.Process(worker).memory_info().rss - before
        live = Ledger()
        async with load([HttpCaller(stack.http, live)], ask_rule, 0.01):
            await asyncio.sleep(2.0)
    statuses = (200, 503, 504)
    verdict("growth of the worker", grown / 2**20, at_most(256), "MiB")
    verdict("slowest answer", ledger.quantile(1.0), at_most(8), "s")
    verdict(
        "late latency by early latency", late.quantile(0.5, *statuses) / early.quantile(0.5, *statuses), at_most(3), ""
    )
    verdict("rules refused meanwhile", live.answered - live.statuses[200], exactly(0), "")
