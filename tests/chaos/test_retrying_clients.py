"""Clients that lose patience and retry, over two workers that are killed again and again: everything counts once."""

import asyncio
import os
import random
import signal
from itertools import count

import pytest

from tests.chaos.callers import HttpCaller, Ledger
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import WITHOUT_TRITON, ChaosStack, Launch, wait_until
from tests.chaos.test_state_faults import Counting, make_counted
from tests.chaos.verdicts import at_least, exactly

pytestmark = [pytest.mark.stack, pytest.mark.anyio]

COHORT = 4
"""The size of the cohorts of the recipe ``compared``."""

ROUNDS = 3
"""How often a worker is killed while members of cohorts wait; and twice as often while numbers are counted."""

PATIENCE_S = (0.002, 0.01, 0.05, 0.2)


@pytest.fixture
def stack(launch: Launch) -> ChaosStack:
    """Two workers on an embedded store of state."""
    return launch("--workers", "2", *WITHOUT_TRITON)


async def insist(
    stack: ChaosStack, ledger: Ledger, body: dict[str, object], key: str, draw: random.Random
) -> list[float]:
    """Send a request under one key, with little patience at first, until it is answered 200; the rewards."""
    for attempt in range(200):
        patience_s = draw.choice(PATIENCE_S) if attempt < draw.randrange(4) else 60.0
        caller = HttpCaller(stack.http, ledger, {"Idempotency-Key": key}, patience_s)
        answer = await caller.post("/v1/score", body)
        await caller.close()
        if answer is not None and answer.status == 200:
            return [float(result["reward"]) for result in answer.json()["results"]]
        await asyncio.sleep(0.05 if answer is None else float(answer.headers["retry-after"]))
    raise AssertionError("a request was never answered")


async def kill_workers(stack: ChaosStack, times: int) -> int:
    """Kill the older worker so many times, each time a second after both work; how often."""
    for _ in range(times):
        await asyncio.to_thread(wait_until, lambda: len(stack.workers()) == 2)
        await asyncio.sleep(1.0)
        os.kill((await asyncio.to_thread(stack.workers))[0], signal.SIGKILL)
    await asyncio.to_thread(wait_until, lambda: len(stack.workers()) == 2)
    return times


async def test_moments_with_retrying_clients(stack: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    killing = asyncio.create_task(kill_workers(stack, 2 * ROUNDS))
    sent = 0

    async def client(number: int) -> None:
        nonlocal sent
        draw = random.Random(number)
        turns = count()
        while not killing.done():
            turn = next(turns)
            body = make_counted(turn)
            await insist(stack, ledger, body, f"{number}-{turn}", draw)
            sent += len(body["samples"])
            await asyncio.sleep(0.05)

    await asyncio.gather(*map(client, range(8)))
    stored = await asyncio.to_thread(Counting(stack).stored)
    verdict(f"samples of {sent} not counted once, {await killing} workers killed", abs(stored - sent), exactly(0), "")
    verdict("attempts that clients gave up or that were cut off", ledger.unanswered, at_least(50), "")


async def test_cohorts_with_retrying_clients(stack: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    draw = random.Random(1)
    numbers = {f"prompt {i}": [draw.gauss(0, 1) for _ in range(COHORT)] for i in range(ROUNDS * 8)}
    wrong = 0

    async def client(prompt: str, place: int) -> None:
        nonlocal wrong
        sample = {"prompt": prompt, "response": "r", "features": {"mine": numbers[prompt][place]}}
        body: dict[str, object] = {"reward": "compared", "samples": [sample]}
        await asyncio.sleep(0.3 * place)
        (reward,) = await insist(stack, ledger, body, f"{prompt}-{place}", random.Random(place))
        wrong += abs(reward - (numbers[prompt][place] - sum(numbers[prompt]) / COHORT)) > 1e-5

    for first in range(0, len(numbers), 8):
        members = [client(prompt, place) for prompt in [*numbers][first : first + 8] for place in range(COHORT)]
        waiting = asyncio.gather(*members)
        await asyncio.sleep(0.5)  # some have joined, and wait
        os.kill((await asyncio.to_thread(stack.workers))[0], signal.SIGKILL)
        await waiting
        await asyncio.to_thread(wait_until, lambda: len(stack.workers()) == 2)
    verdict(f"members of {len(numbers)} cohorts compared wrongly", wrong, exactly(0), "")
