"""Nothing that outlives a request changes before every raw score is known; a request that fails has changed nothing."""

import asyncio

import pytest
from reward_gateway.errors import GatewayError, InvalidRequest, ModelUnavailable, StateUnavailable, Unscorable
from reward_gateway.gateway import ScoreOptions
from reward_gateway.operations.effects import DiscardWrites, MergeMoments, Moments
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.evaluate import evaluate_plan
from reward_gateway.sample import Scored

from .conftest import World, batch_of

pytestmark = pytest.mark.anyio


async def test_a_batch_behind_a_model_that_is_away_is_not_counted(world: World) -> None:
    gateway = world.gateway()
    world.models.away = True
    for _ in range(5):
        with pytest.raises(ModelUnavailable):
            await gateway.score(batch_of(1, 3), "scaled")
    assert await world.state.list_names() == []
    world.models.away = False
    await gateway.score(batch_of(1, 3), "scaled")
    assert await world.state.moments.read("run") == (2.0, 2.0, 2.0)


async def test_a_rule_is_not_counted_where_a_model_after_it_fails(world: World) -> None:
    gateway = world.gateway()
    world.models.away = True
    features = [{"v": 1.0}, {"v": 3.0}]
    with pytest.raises(ModelUnavailable):
        await gateway.score(batch_of(1, 3, features=features), "scaled_rule")
    assert await world.count() == 0


async def test_only_the_samples_that_were_scored_are_counted(world: World) -> None:
    gateway = world.gateway()
    world.models.unscorable = {"3.0"}
    features = [{"v": 1.0}, {"v": 3.0}, {"v": 5.0}]
    scored = await gateway.score(batch_of(1.0, 3.0, 5.0, features=features), "scaled_rule")
    assert set(scored.invalid) == {1}
    assert await world.state.moments.read("run") == (2.0, 3.0, 8.0)


async def test_a_refused_request_has_changed_nothing(world: World) -> None:
    gateway = world.gateway()
    batch = batch_of(1.0, 2.0)
    batch.responses[1] = None

    def refuse(scored: Scored) -> None:
        raise Unscorable("this dialect cannot say it")

    for options in (ScoreOptions(on_invalid="fail"), ScoreOptions(on_invalid="default"), ScoreOptions(accept=refuse)):
        for reward in ("scaled", "scaled_cohort"):
            if reward == "scaled" or options.on_invalid == "fail":
                with pytest.raises(GatewayError):
                    await gateway.score(batch, reward, options)
    assert await world.state.list_names() == []
    await asyncio.gather(*(gateway.score(batch_of(value), "scaled_cohort") for value in (1.0, 2.0, 3.0)))
    assert await world.count(caller="anonymous") == 3


async def test_an_operation_that_cannot_be_answered_has_changed_nothing(world: World) -> None:
    gateway = world.gateway()
    archive = {"archive": "a"}
    items = [{"descriptor": [1.0], **archive}, {"descriptor": "text", **archive}]
    with pytest.raises(InvalidRequest):
        await gateway.operations.apply_items("score", "novelty", items)
    assert await world.state.list_names() == []
    await gateway.operations.apply_items("score", "novelty", items[:1])
    assert (await world.state.archives.read("a")).tolist() == [[1.0]]


async def test_a_request_sees_what_it_will_write(world: World) -> None:
    gateway = world.gateway()
    items = [{"rewards": [1.0, 3.0], "stream": "s"}, {"rewards": [5.0], "stream": "s"}]
    results = await gateway.operations.apply_items("transform", "running_scale", items)
    assert [result["details"]["count"] for result in results] == [2.0, 3.0]
    assert await world.state.moments.read("s") == (3.0, 3.0, 8.0)


async def test_a_sample_that_failed_for_the_servers_cause_takes_no_place_in_its_cohort(world: World) -> None:
    first, second = world.gateway(), world.gateway()
    world.models.unscorable = {"9.0"}
    failed = await first.score(batch_of(9.0), "cohort")
    assert failed.invalid[0].code == "model_error"
    scores = await asyncio.gather(
        *(gateway.score(batch_of(value), "cohort") for gateway, value in ((first, 1.0), (second, 2.0), (first, 6.0)))
    )
    assert sorted(scored.reward.tolist()[0] for scored in scores) == [-2.0, -1.0, 3.0]


async def test_a_sample_that_will_never_have_a_score_keeps_nobody_waiting(world: World) -> None:
    gateway = world.gateway()
    unscorable = batch_of(0.0)
    unscorable.responses[0] = None
    answers = await asyncio.gather(
        gateway.score(unscorable, "cohort"),
        gateway.score(batch_of(1.0), "cohort"),
        gateway.score(batch_of(3.0), "cohort"),
    )
    assert answers[0].invalid[0].code == "missing_field"
    assert sorted(scored.reward.tolist()[0] for scored in answers[1:]) == [-1.0, 1.0]


def test_what_was_to_be_written_is_computed_again_without_the_samples_that_were_lost() -> None:
    plan = load_book("""
rewards:
  r:
    components:
      a: {score: given, inputs: {value: {feature: v}}, transforms: [{running_scale: {stream: one}}]}
      b: {score: given, inputs: {value: {feature: v}}, transforms: [{running_scale: {stream: two}}]}
    combine: {weighted_sum: {weights: {a: 1.0, b: 1.0}}}
""").get("r")
    steps = evaluate_plan(plan, batch_of(1, 2, features=[{"v": 1.0}, {"v": 2.0}]), {})
    assert isinstance(next(steps), MergeMoments)
    assert isinstance(steps.send(Moments(2.0, 1.5, 0.5)), MergeMoments)
    assert isinstance(steps.throw(StateUnavailable("away")), DiscardWrites)
    with pytest.raises(StopIteration) as stop:
        steps.send(None)
    assert {reason.code for reason in stop.value.value.invalid.values()} == {"state_unavailable"}
