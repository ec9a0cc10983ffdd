"""The wall clocks of the gateway and of its stores jump: nothing is refused, late, lost or counted twice."""

import asyncio
import subprocess
import time
from pathlib import Path

import pytest

from tests.chaos.callers import Caller, HttpCaller, Ledger, load, make_responses
from tests.chaos.clocks import WallClock
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import Launch
from tests.chaos.test_state_faults import Counting
from tests.chaos.verdicts import at_least, at_most, exactly

pytestmark = [pytest.mark.stack, pytest.mark.anyio]


async def test_the_clock_jumps(
    launch: Launch, tmp_path: Path, ledger: Ledger, verdict: GiveVerdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = WallClock(tmp_path)
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    stack = await asyncio.to_thread(launch, "--workers", "2")
    monkeypatch.undo()
    counting = Counting(stack)
    clock.shift(7200)
    shifted = subprocess.run(["date", "+%s"], env=clock.environment, capture_output=True, check=True).stdout
    assert int(shifted) > time.time() + 3600, "the library has no effect"

    async def ask(caller: Caller, turn: int) -> None:
        if turn % 3 == 0:
            await counting.ask(caller, turn)
        else:
            await caller.score("rule" if turn % 3 == 1 else "model", make_responses(turn % 50))

    async with load([HttpCaller(stack.http, ledger) for _ in range(4)], ask, 0.01):
        for ahead_s in (0, 3600, 0, -3600, 86_400, 3, 0):
            clock.shift(ahead_s)
            await asyncio.sleep(1.5)
    stored = await asyncio.to_thread(counting.stored)
    verdict("answers without rewards", ledger.answered - ledger.statuses[200], exactly(0), "")
    verdict("unanswered requests", ledger.unanswered, exactly(0), "")
    verdict("slowest answer", ledger.quantile(1.0), at_most(2), "s")
    verdict("samples answered and not counted, or the reverse", abs(counting.answered - stored), exactly(0), "")
    verdict("answers", ledger.answered, at_least(100), "")
