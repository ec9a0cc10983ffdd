"""Signals under load, with the embedded Triton and Valkey: draining answers or refuses everybody, a second signal ends
at once, and a hangup reads files again and fails nobody."""

import asyncio
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.chaos.callers import Answer, Caller, GrpcCaller, HttpCaller, Ledger, load, make_responses
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import RECIPES, SLOW, SLOW_ROW_S, ChaosStack, Launch, wait_until
from tests.chaos.verdicts import at_least, at_most, exactly

pytestmark = [pytest.mark.stack, pytest.mark.anyio]

DRAIN_S = 6.0
LONG_ROWS = 3 * int(DRAIN_S / SLOW_ROW_S)
"""Slow samples of a request that takes far longer than draining may."""


@dataclass(frozen=True, slots=True)
class Event:
    """One request: when it was sent and over, on the loop's clock, and its answer; None: there was none."""

    sent: float
    over: float
    answer: Answer | None

    @property
    def status(self) -> int | None:
        return None if self.answer is None else self.answer.status

    @property
    def closes(self) -> bool:
        """Whether the answer says that the connection ends."""
        return self.answer is not None and self.answer.headers.get("connection", "").lower() == "close"


class Recorder(HttpCaller):
    """A caller that keeps what became of its requests.

    Args:
        anew: open a connection for every request.
    """

    def __init__(self, base: str, ledger: Ledger, events: list[Event], anew: bool = False) -> None:
        super().__init__(base, ledger, patience_s=30.0)
        self._events = events
        self._anew = anew

    async def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Answer | None:
        began = time.monotonic()
        answer = await super().post(path, body, headers, method)
        self._events.append(Event(began, time.monotonic(), answer))
        if self._anew:
            await self.close()
        return answer


async def ask(caller: Caller, turn: int) -> None:
    """Rules, and a model for which a request takes a fifth of a second."""
    if turn % 4:
        await caller.score("rule", make_responses(turn, 1 + turn % 5))
    else:
        await caller.score("model", [f"{SLOW} {text}" for text in make_responses(turn, 4)], cache="off")


async def ask_slow(caller: Caller, turn: int, rows: int) -> list[float | None] | None:
    return await caller.score("model", [f"{SLOW} {turn} {row}" for row in range(rows)], cache="off")


def processes_of(stack: ChaosStack) -> list[psutil.Process]:
    found = stack.processes()
    names = [process.name() for process in found]
    assert any("tritonserver" in name for name in names), names
    assert sum("valkey" in name for name in names) == 2, names
    return found


async def find_left(stack: ChaosStack, before: list[psutil.Process]) -> tuple[float, float]:
    """Processes, and shared memory and sockets, that a stack that has ended left behind."""
    left = [process for process in before if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    memory = list(Path("/dev/shm").glob(f"reward_gateway_{stack.running.process.pid}_*"))
    sockets = Path(stack.running.triton.removeprefix("unix:").rpartition(":")[0]).parent
    return len(left), len(memory) + sockets.exists()


async def test_sigterm_under_load(launch: Launch, ledger: Ledger, verdict: GiveVerdict) -> None:
    stack = await asyncio.to_thread(launch, "--workers", "2", "--drain-s", str(DRAIN_S))
    process, before = stack.running.process, processes_of(stack)
    new, kept, probes, under_way, long = (list[Event]() for _ in range(5))
    health, gone = Ledger(), asyncio.Event()

    async def work(caller: Caller, turn: int) -> None:
        if not gone.is_set():
            await ask(caller, turn)

    async def probe() -> None:
        prober = Recorder(stack.http, health, probes, anew=True)
        while not gone.is_set():
            await prober.post("/readyz", None, method="GET")
            await asyncio.sleep(0.02)

    callers: list[Caller] = [
        *(Recorder(stack.http, ledger, new, anew=True) for _ in range(3)),
        *(Recorder(stack.http, ledger, kept) for _ in range(3)),
        *(GrpcCaller(stack.grpc, ledger, patience_s=15.0) for _ in range(2)),
    ]
    probing = asyncio.create_task(probe())
    async with load(callers, work, 0.02):
        await asyncio.sleep(2.0)
        waiting = [
            asyncio.create_task(ask_slow(Recorder(stack.http, ledger, long), 0, LONG_ROWS)),
            *(asyncio.create_task(ask_slow(Recorder(stack.http, ledger, under_way), turn, 20)) for turn in range(1, 6)),
        ]
        await asyncio.sleep(0.5)
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(process.wait, 60)
        ended = time.monotonic()
        await asyncio.sleep(1.0)  # who comes now is refused
        gone.set()
        await asyncio.gather(*waiting)
    await probing
    processes, files = await find_left(stack, before)
    late = [event for event in new if event.sent > told + 1.0]
    answered = [event for event in late if event.status is not None]
    unready = [event.over for event in probes if event.status == 503]
    closed = [event.over for event in (*new, *probes) if event.status is None]
    (cut,) = long
    verdict("not ready after", min(unready) - told, at_most(1), "s")
    verdict("connections closed after readiness failed by", min(closed) - min(unready), at_least(1), "s")
    verdict("still ready a second later", sum(e.status == 200 for e in probes if e.sent > told + 1), exactly(0), "")
    verdict("of 5 requests under way, without scores", sum(e.status != 200 for e in under_way), exactly(0), "")
    verdict("new work answered 503", len(answered), at_least(10), "")
    verdict("of it, otherwise or without Connection: close", sum(not e.closes for e in answered), exactly(0), "")
    verdict("slowest refusal", max(event.over - event.sent for event in answered), at_most(1), "s")
    verdict("slowest closed connection", max(ledger.lost_seconds, default=0.0), at_most(1), "s")
    # A kept connection may be closed just as its client sends: HTTP/1.1 has no word for it.
    verdict("connections that broke rather than being refused", ledger.broken, at_most(3), "")
    verdict("cut-off work, status", cut.status or 0, exactly(503), "")
    verdict("cut-off work answered after", cut.over - told, at_most(DRAIN_S + 4), "s")
    verdict("ended after", ended - told, at_most(30), "s")
    verdict("exit status", status, exactly(0), "")
    verdict("processes left", processes, exactly(0), "")
    verdict("shared memory and sockets left", files, exactly(0), "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_signal_twice(launch: Launch, number: signal.Signals, ledger: Ledger, verdict: GiveVerdict) -> None:
    stack = await asyncio.to_thread(launch, "--workers", "2")
    process, before = stack.running.process, processes_of(stack)
    events: list[Event] = []
    caller = Recorder(stack.http, ledger, events)
    async with load([Recorder(stack.http, ledger, []), GrpcCaller(stack.grpc, ledger, patience_s=2.0)], ask, 0.02):
        await asyncio.sleep(1.0)
        long = asyncio.create_task(ask_slow(caller, 0, LONG_ROWS))
        await asyncio.sleep(0.5)
        process.send_signal(number)
        await asyncio.sleep(1.0)
        still_draining = process.poll() is None
        told = time.monotonic()
        process.send_signal(number)
        await asyncio.to_thread(process.wait, 60)
        ended = time.monotonic()
        await long
    processes, files = await find_left(stack, before)
    (cut,) = events
    verdict("waits for work at the first signal", still_draining, exactly(1), "")
    verdict("ended after the second by", ended - told, at_most(3), "s")
    verdict("its client knew after", cut.over - told, at_most(3), "s")
    verdict("processes left", processes, exactly(0), "")
    verdict("shared memory and sockets left", files, exactly(0), "")


async def test_sighup_under_load(launch: Launch, ledger: Ledger, verdict: GiveVerdict, tmp_path: Path) -> None:
    recipes = tmp_path / "rewards.yaml"
    recipes.write_text(RECIPES)
    stack = await asyncio.to_thread(launch, "--workers", "2", "--rewards-file", str(recipes))
    before = {process.pid for process in processes_of(stack)}
    seconds: list[float] = []

    def is_served(name: str) -> bool:
        """Whether a name is known over eight new connections in a row."""
        body = {"reward": name, "samples": [{"prompt": "p", "response": "a b"}]}
        return all(httpx.post(f"{stack.http}/v1/score", json=body, timeout=30).status_code == 200 for _ in range(8))

    callers: list[Caller] = [
        *(Recorder(stack.http, ledger, [], anew=True) for _ in range(2)),
        *(Recorder(stack.http, ledger, []) for _ in range(2)),
        GrpcCaller(stack.grpc, ledger),
    ]
    async with load(callers, ask, 0.02):
        for turn in range(10):
            name = f"added_{turn}"
            recipes.write_text(f"{RECIPES}  {name}: {{components: {{words: {{score: length_penalty}}}}}}\n")
            stack.running.process.send_signal(signal.SIGHUP)
            seconds.append(await asyncio.to_thread(wait_until, partial(is_served, name)))
    verdict("until both workers serve the changed recipes, slowest of 10", max(seconds), at_most(5), "s")
    verdict("processes that ended or began", len(before ^ {p.pid for p in processes_of(stack)}), exactly(0), "")
    verdict("requests without rewards", ledger.answered - ledger.statuses[200], exactly(0), "")
    verdict("unanswered requests", ledger.unanswered, exactly(0), "")
    verdict("requests with rewards", ledger.statuses[200], at_least(100), "")
