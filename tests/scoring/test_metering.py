"""What a request counts: once, however often it is sent with the same idempotency key."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.accounts import Account, working_for
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.metering.budgets import Budgets
from reward_gateway.metering.meter import Meter
from reward_gateway.metering.usage import Counts, UsageCounter
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.state.store import StateStore

from tests.client.conftest import NoModels
from tests.clock import until
from tests.valkey import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.stack]

RECIPES = """
rewards:
  stateless: {components: {rule: {score: exact_match}}}
  stateful: {components: {mine: {score: exact_match, transforms: [{running_scale: {stream: a}}]}}}
"""
TEAM = Account("key", "team", budget=100)


@pytest.fixture
async def gateway(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Gateway]:
    server = Valkey(tmp_path)
    server.start()
    runtime = EffectsRuntime(CachedScorer(NoModels(), NullCache()), StateStore.in_process())
    meter = Meter(Budgets(server.url), UsageCounter.in_process(10))
    yield Gateway(load_book(RECIPES), runtime, meter=meter)
    await meter.close()
    server.kill()


def make_batch(size: int) -> Batch:
    prompts: Any = ["p"] * size
    return Batch(ids=[str(n) for n in range(size)], prompts=prompts, responses=["a"] * size, references=["a"] * size)


async def score(gateway: Gateway, recipe: str, size: int, key: str | None = None) -> None:
    with working_for(TEAM):
        await gateway.score(make_batch(size), recipe, ScoreOptions(scope=RequestScope("team", "run", key)))


async def count(gateway: Gateway) -> tuple[int | None, list[Counts]]:
    """What was spent, and used."""
    budgets, usage = gateway.meter.budgets, gateway.meter.usage
    assert budgets is not None
    assert usage is not None
    await until(lambda: not budgets._giving)
    return await budgets.read("team"), list((await usage.read(usage.today, usage.today)).values())


@pytest.mark.parametrize("recipe", ["stateless", "stateful"])
async def test_repeats_with_a_key_count_once_and_without_one_each_time(gateway: Gateway, recipe: str) -> None:
    for _ in range(3):
        await score(gateway, recipe, 5, "a-key")
    assert await count(gateway) == (5, [Counts(1, 5)])
    for _ in range(3):
        await score(gateway, recipe, 5)
    assert await count(gateway) == (20, [Counts(4, 20)])


async def test_work_for_nobody_counts_nothing(gateway: Gateway) -> None:
    await gateway.score(make_batch(500), "stateless", ScoreOptions())
    assert await count(gateway) == (0, [])
