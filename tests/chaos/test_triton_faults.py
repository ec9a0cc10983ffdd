"""The model server dies or hangs under load: no wrong score, clear errors, and it comes back by itself."""

import asyncio
import os
import signal
from itertools import count

import pytest

from tests.chaos.callers import Caller, GrpcCaller, HttpCaller, Ledger, load, make_responses
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import ChaosStack, Launch, frozen, wait_until
from tests.chaos.verdicts import at_least, at_most, exactly

pytestmark = [pytest.mark.stack, pytest.mark.anyio]

DEADLINE_S = 2.0


@pytest.fixture(scope="module")
def stack(launch: Launch) -> ChaosStack:
    """A stack with a model."""
    return launch()


async def ask_model(caller: Caller, turn: int) -> None:
    """Ask the model itself, never the cache."""
    await caller.score("model", make_responses(turn, 1 + turn % 3), cache="off", deadline_ms=int(DEADLINE_S * 1e3))


def callers_of(stack: ChaosStack, ledger: Ledger) -> list[Caller]:
    return [HttpCaller(stack.http, ledger), HttpCaller(stack.http, ledger), GrpcCaller(stack.grpc, ledger)]


async def come_back(stack: ChaosStack, seconds: float = 60.0) -> float:
    """Seconds until the model answers ten requests in a row."""
    began = asyncio.get_running_loop().time()
    caller = HttpCaller(stack.http, Ledger())
    in_a_row = 0
    for turn in count():
        answered = await caller.score("model", make_responses(turn), cache="off", deadline_ms=int(DEADLINE_S * 1e3))
        in_a_row = in_a_row + 1 if answered is not None else 0
        if in_a_row == 10:
            break
        assert asyncio.get_running_loop().time() - began < seconds, "the model does not come back"
        await asyncio.sleep(0.05)
    await caller.close()
    return asyncio.get_running_loop().time() - began


async def test_triton_is_killed(stack: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    async with load(callers_of(stack, ledger), ask_model, 0.01):
        await asyncio.sleep(1.0)
        os.kill(stack.triton(), signal.SIGKILL)
        await asyncio.sleep(0.5)
        seconds = await come_back(stack)
    verdict("until it answers again", seconds, at_most(30), "s")
    verdict("answers with rewards", ledger.statuses[200], at_least(1), "")
    verdict("unanswered requests", ledger.unanswered, exactly(0), "")


async def test_the_process_of_a_model_is_killed(stack: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    async with load(callers_of(stack, ledger), ask_model, 0.01):
        await asyncio.sleep(1.0)
        for pid in stack.model_processes():
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.5)
        seconds = await come_back(stack)
    verdict("until it answers again", seconds, at_most(30), "s")
    verdict("unanswered requests", ledger.unanswered, exactly(0), "")


async def test_triton_hangs(stack: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    async with load(callers_of(stack, ledger), ask_model, 0.01):
        await asyncio.sleep(1.0)
        with frozen(stack.triton()):
            await asyncio.sleep(4.0)
        seconds = await come_back(stack)
    verdict("until it answers again", seconds, at_most(30), "s")
    verdict("slowest answer beyond the deadline", ledger.quantile(1.0) - DEADLINE_S, at_most(0.5), "s")
    verdict("unanswered requests", ledger.unanswered, exactly(0), "")


async def test_rules_are_scored_while_triton_is_away(launch: Launch, ledger: Ledger, verdict: GiveVerdict) -> None:
    stack = await asyncio.to_thread(launch, "--triton-url", "127.0.0.1:1")

    async def ask(caller: Caller, turn: int) -> None:
        await caller.score("rule" if turn % 2 else "model", make_responses(turn))

    async with load([HttpCaller(stack.http, ledger), GrpcCaller(stack.grpc, ledger)], ask, 0.005):
        await asyncio.sleep(5.0)
    verdict("rules with rewards", ledger.statuses[200], at_least(100), "answers")
    await asyncio.to_thread(wait_until, lambda: stack.readyz()["ready"])
