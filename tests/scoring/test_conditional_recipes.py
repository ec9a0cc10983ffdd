"""Recipes with conditions through the gateway: who is asked, what is counted, and what is kept."""

import asyncio

import pytest
from reward_gateway.gateway import ScoreOptions
from reward_gateway.sample import Scored
from reward_gateway.scoring.recorded_answers import decode_scores, encode_scores, keep_answers
from reward_gateway.scoring.request_scope import RequestScope

from .conftest import World, batch_of

pytestmark = pytest.mark.anyio

FEATURES = [{"v": 1.0}, {"v": -1.0}, {"v": 3.0}]


async def test_a_request_counts_what_it_skipped_and_asks_about_the_rest(world: World) -> None:
    gateway = world.gateway()
    scored = await gateway.score(batch_of(10, 20, 30, features=FEATURES), "staged_moments")
    assert (scored.usage.skipped, scored.usage.model_calls) == (1, 1)
    assert (scored.usage.cache_hits, scored.usage.cache_misses) == (0, 2)
    assert scored.components["judged"].skipped == [None, "rule", None]
    assert scored.timing_ms["combine"] >= 0


async def test_skipped_samples_enter_no_moments(world: World) -> None:
    await world.gateway().score(batch_of(10, 1000, 30, features=FEATURES), "staged_moments")
    assert await world.state.moments.read("run") == (2.0, 20.0, 200.0)


async def test_a_sample_that_fails_in_a_later_stage_leaves_no_trace_in_an_earlier_one(world: World) -> None:
    gateway = world.gateway()
    world.models.unscorable = {"30"}
    scored = await gateway.score(batch_of("10", "20", "30", features=FEATURES), "staged")  # type: ignore[arg-type]
    assert set(scored.invalid) == {2}
    assert await world.state.moments.read("run") == (2.0, 0.0, 2.0)
    assert scored.components["rule"].raw[:2].tolist() == [1.0, -1.0]


async def test_an_audit_that_is_away_fails_nothing(world: World) -> None:
    world_gateway = world.gateway()
    world.models.away = True
    scored = await world_gateway.score(batch_of(1, 2, features=FEATURES[:2]), "staged_audit", ScoreOptions("fail"))
    assert (scored.reward.tolist(), scored.invalid) == ([1.0, -1.0], {})


async def test_components_of_one_stage_are_asked_at_the_same_time(world: World) -> None:
    gateway = world.gateway()
    world.models.gate.clear()
    features = [{"v": 1.0, "beside": 1.0}]
    scoring = asyncio.create_task(gateway.score(batch_of(5, features=features), "staged"))
    while not world.models.asked:
        await asyncio.sleep(0)
    world.models.gate.set()
    scored = await scoring
    assert world.models.asked == 1, "one model, which both components read"
    assert scored.components["beside"].raw.tolist() == scored.components["judged"].raw.tolist() == [5.0]


async def test_a_repeat_is_answered_with_what_was_skipped(world: World) -> None:
    gateway = world.gateway()
    options = ScoreOptions(scope=RequestScope(idempotency_key="k"))
    first = await gateway.score(batch_of(10, 20, 30, features=FEATURES), "staged_moments", options)
    again = await gateway.score(batch_of(10, 20, 30, features=FEATURES), "staged_moments", options)
    assert again.components["judged"].skipped == first.components["judged"].skipped == [None, "rule", None]
    assert again.usage.skipped == 1
    assert world.models.asked == 1


async def test_recorded_answers_keep_what_was_skipped(world: World) -> None:
    gateway = world.gateway()
    scored: Scored = await gateway.score(batch_of(10, 20, 30, features=FEATURES), "staged_moments")
    other: Scored = await gateway.score(batch_of(10, 20, features=FEATURES[:2]), "staged_moments")
    recorded = decode_scores(encode_scores(other))
    scored.components["judged"].skipped = None
    keep_answers(recorded, [1], scored)
    assert scored.components["judged"].skipped == [None, "rule", None]
