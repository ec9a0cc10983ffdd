"""The store of cached scores dies, hangs, is slow or forgets: every answer is right, and none waits for the store."""

import asyncio
import os
import signal
import statistics
from pathlib import Path

import pytest

from tests.chaos.callers import Caller, GrpcCaller, HttpCaller, Ledger, load, make_responses
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import ChaosStack, Launch, frozen, wait_until
from tests.chaos.verdicts import at_least, at_most, exactly
from tests.delays import delaying_proxy
from tests.valkey import Valkey

pytestmark = [pytest.mark.stack, pytest.mark.anyio]


@pytest.fixture(scope="module")
def embedded(launch: Launch) -> ChaosStack:
    """A stack with a model, whose scores an embedded Valkey alone caches."""
    return launch("--cache-memory-entries", "0")


async def ask_cached(caller: Caller, turn: int) -> None:
    """Ask the model for texts that recur, so that most are cached."""
    await caller.score("model", make_responses(turn % 40, 1 + turn % 3))


def callers_of(stack: ChaosStack, ledger: Ledger) -> list[Caller]:
    return [HttpCaller(stack.http, ledger), HttpCaller(stack.http, ledger), GrpcCaller(stack.grpc, ledger)]


def is_open(stack: ChaosStack) -> bool:
    """Whether the cache is left alone."""
    return stack.metric("reward_gateway_cache_breaker_open") > 0


async def added_latency_ms(stack: ChaosStack, pairs: int = 300) -> float:
    """The median of what requests that may use the cache take longer than such that may not, in milliseconds."""
    ledger = Ledger()
    caller = HttpCaller(stack.http, ledger)
    for turn in range(pairs):
        responses = [f"text {turn} that is in no cache"]
        await caller.score("model", responses, cache="off")
        await caller.score("model", responses)
    await caller.close()
    seconds = ledger.seconds[200]
    return statistics.median(b - a for a, b in zip(seconds[::2], seconds[1::2], strict=True)) * 1e3


async def test_the_cache_is_killed(embedded: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    async with load(callers_of(embedded, ledger), ask_cached):
        await asyncio.sleep(1.0)
        os.kill(embedded.cache(), signal.SIGKILL)
        await asyncio.sleep(5.0)
    verdict("answers without rewards", ledger.answered - ledger.statuses[200], exactly(0), "")
    verdict("unanswered requests", ledger.unanswered, exactly(0), "")
    after = Ledger()
    async with load([HttpCaller(embedded.http, after)], ask_cached):
        before = embedded.metric("reward_gateway_cache_lookups_total", result="hit")
        seconds = await asyncio.to_thread(
            wait_until, lambda: embedded.metric("reward_gateway_cache_lookups_total", result="hit") > before + 20
        )
    verdict("until the cache is used again", seconds, at_most(15), "s")


async def test_the_cache_accepts_and_never_answers(embedded: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    await asyncio.to_thread(wait_until, lambda: not is_open(embedded))
    with frozen(embedded.cache()):
        async with load(callers_of(embedded, ledger), ask_cached):
            seconds = await asyncio.to_thread(wait_until, lambda: is_open(embedded), 30)
            await asyncio.sleep(3.0)
    verdict("until the breaker opens", seconds, at_most(5), "s")
    verdict("answers without rewards", ledger.answered - ledger.statuses[200], exactly(0), "")
    verdict("slowest answer", ledger.quantile(1.0), at_most(8), "s")


async def test_the_cache_is_slow_by_200_ms(
    launch: Launch, tmp_path: Path, ledger: Ledger, verdict: GiveVerdict
) -> None:
    valkey = Valkey(tmp_path)
    valkey.start()
    try:
        async with delaying_proxy(valkey.port) as delays:
            stack = await asyncio.to_thread(launch, "--redis-url", delays.url, "--cache-memory-entries", "0")
            delays.answer_s = 0.2
            async with load(callers_of(stack, ledger), ask_cached):
                seconds = await asyncio.to_thread(wait_until, lambda: is_open(stack), 30)
            added_ms = await added_latency_ms(stack)
            stays_open = is_open(stack)
            delays.answer_s = 0.0
            async with load(callers_of(stack, ledger), ask_cached, 0.01):  # requests set off the probes
                await asyncio.to_thread(wait_until, lambda: not is_open(stack), 30)
        verdict("until the breaker opens", seconds, at_most(5), "s")
        verdict("added latency once it is open", added_ms, at_most(1.0), "ms")
        verdict("breaker stays open", stays_open, at_least(1), "")
        verdict("answers without rewards", ledger.answered - ledger.statuses[200], exactly(0), "")
    finally:
        valkey.kill()
