"""A gateway process dies or hangs under load, one of two: the other answers, and the first is started again."""

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from tests.chaos.callers import Caller, GrpcCaller, HttpCaller, Ledger, load, make_responses
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import WITHOUT_TRITON, ChaosStack, Launch, frozen, wait_until
from tests.chaos.verdicts import at_least, at_most

pytestmark = [pytest.mark.stack, pytest.mark.anyio]

CALLERS = 8


@pytest.fixture(scope="module")
def stack(launch: Launch) -> ChaosStack:
    """Two workers that score rules."""
    return launch("--workers", "2", *WITHOUT_TRITON)


class Anew:
    """A caller with a new connection for every request, which the kernel gives to either worker."""

    def __init__(self, stack: ChaosStack, ledger: Ledger) -> None:
        self._stack, self._ledger = stack, ledger

    async def score(self, reward: str, responses: Sequence[str], **options: Any) -> list[float | None] | None:
        caller = HttpCaller(self._stack.http, self._ledger, patience_s=5.0)
        try:
            return await caller.score(reward, responses, **options)
        finally:
            await caller.close()

    async def connect(self) -> None:
        """Every request has a connection of its own."""

    async def close(self) -> None:
        pass


async def ask_rule(caller: Caller, turn: int) -> None:
    await caller.score("rule", make_responses(turn, 1 + turn % 5))


def callers_of(stack: ChaosStack, ledger: Ledger) -> list[Caller]:
    return [
        *(Anew(stack, ledger) for _ in range(CALLERS - 2)),
        HttpCaller(stack.http, ledger),
        GrpcCaller(stack.grpc, ledger),
    ]


async def test_a_worker_is_killed(stack: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    await asyncio.to_thread(wait_until, lambda: len(stack.workers()) == 2)
    killed = 0
    async with load(callers_of(stack, ledger), ask_rule, 0.002):
        for _ in range(3):
            await asyncio.sleep(1.0)
            os.kill(stack.workers()[0], signal.SIGKILL)
            killed += 1
            await asyncio.to_thread(wait_until, lambda: stack.said().count("starting it again") >= killed)  # noqa: B023
            await asyncio.to_thread(wait_until, lambda: len(stack.workers()) == 2)
    verdict("unanswered requests per kill", ledger.unanswered / killed, at_most(CALLERS), "")
    verdict("answers with rewards", ledger.statuses[200], at_least(100), "")


async def test_a_worker_hangs(stack: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    await asyncio.to_thread(wait_until, lambda: stack.readyz()["ready"])
    async with load(callers_of(stack, ledger), ask_rule, 0.002):
        await asyncio.sleep(1.0)
        with frozen(stack.workers()[0]):
            before = ledger.statuses[200]
            await asyncio.sleep(4.0)
            answered = ledger.statuses[200] - before
        await asyncio.sleep(1.0)
    verdict("answers by the other worker in 4 s", answered, at_least(50), "")
    verdict("unanswered requests", ledger.unanswered, at_most(CALLERS), "")
