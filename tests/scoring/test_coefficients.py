"""A multiplier that batches adapt: each counts once, from what is stored when it is committed, or not at all."""

import asyncio
from typing import Any

import pytest
from reward_gateway.errors import ModelUnavailable
from reward_gateway.gateway import ScoreOptions
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.state.namespace import Namespace

from .conftest import World, batch_of

pytestmark = pytest.mark.anyio

HARM: Any = [{"v": 0.5}, {"v": 1.5}]


async def read(world: World, caller: str = "anonymous", run: str = "") -> float | None:
    return await world.state.coefficients.within(Namespace(caller, run)).read("harm")


async def test_a_batch_is_answered_with_the_multiplier_before_it(world: World) -> None:
    gateway = world.gateway()
    first = await gateway.score(batch_of(2, 2, features=HARM), "constrained")
    second = await gateway.score(batch_of(2, 2, features=HARM), "constrained")
    assert first.reward.tolist() == [1.5, 0.5]
    assert second.reward.tolist() == [2 - 1.1 * 0.5, 2 - 1.1 * 1.5]
    assert await read(world) == pytest.approx(1.2)


async def test_only_samples_that_were_scored_are_part_of_the_mean_cost(world: World) -> None:
    gateway = world.gateway()
    world.models.unscorable = {"7.0"}
    scored = await gateway.score(batch_of(2.0, 7.0, features=HARM), "constrained")
    assert set(scored.invalid) == {1}
    assert await read(world) == 1.05


async def test_a_number_that_no_mean_can_hold_is_the_error_of_its_sample(world: World) -> None:
    gateway = world.gateway()
    scored = await gateway.score(batch_of(2, 2, features=[{"v": 0.5}, {"v": 1e200}]), "constrained")
    assert scored.invalid[1].code == "not_finite"
    assert await read(world) == 1.05
    await gateway.score(batch_of(2, features=[{"v": -1e200}]), "constrained")
    assert await read(world) == 1.05


async def test_a_request_that_fails_has_changed_nothing(world: World) -> None:
    gateway = world.gateway()
    world.models.away = True
    with pytest.raises(ModelUnavailable):
        await gateway.score(batch_of(2, 2, features=HARM), "constrained")
    assert await read(world) is None


async def test_a_repeat_counts_once_at_whichever_gateway(world: World) -> None:
    first, second = world.gateway(), world.gateway()
    options = ScoreOptions(scope=RequestScope("a", "r", "key"))
    answers = [await g.score(batch_of(2, 2, features=HARM), "constrained", options) for g in (first, second, first)]
    assert [answer.reward.tolist() for answer in answers] == [[1.5, 0.5]] * 3
    assert await read(world, "a", "r") == 1.1
    assert (await read(world, "a"), await read(world, "b", "r")) == (None, None), "it is the caller's, and of the run"
    item = {"reward": 2.0, "cost": 0.5}
    for gateway in (first, second):
        scope = RequestScope("a", "r", "other")
        await gateway.operations.apply_items("combine", "lagrangian", [item], {"name": "harm"}, scope=scope)
    assert await read(world, "a", "r") == pytest.approx(1.15)


async def test_batches_at_the_same_time_each_count_once(world: World) -> None:
    gateways = [world.gateway() for _ in range(4)]
    world.models.gate.clear()
    tasks = [asyncio.create_task(g.score(batch_of(2, 2, features=HARM), "constrained")) for g in gateways * 4]
    world.models.gate.set()
    await asyncio.gather(*tasks)
    assert await read(world) == pytest.approx(1 + 16 * 0.1)


async def test_the_coefficient_of_a_divergence_is_state_of_a_recipe_too(world: World) -> None:
    gateway = world.gateway()
    features: Any = [{"logp": [-0.6, -1.2], "ref_logp": [-1.0, -1.0]}] * 2
    options = ScoreOptions(scope=RequestScope("a", "r", "key"))
    for _ in range(2):
        scored = await gateway.score(batch_of(1, 2, features=features), "kl", options)
        assert [list(vector) for vector in scored.rewards or ()] == [pytest.approx([-0.2, r + 0.1]) for r in (1, 2)]
    stored = await world.state.coefficients.within(Namespace("a", "r")).read("kl")
    assert stored == pytest.approx(0.5 * (1 + 0.2 * 2 / 10))


async def test_what_is_changed_meanwhile_is_what_the_batch_goes_on_from(world: World) -> None:
    gateway = world.gateway()
    await gateway.score(batch_of(2, 2, features=HARM), "constrained")
    await world.state.within(Namespace()).reset("coefficients", "harm")
    await world.state.within(Namespace()).restore_value("coefficients", "harm", {"value": 0.25, "updates": 9})
    await gateway.score(batch_of(2, 2, features=HARM), "constrained")
    assert await read(world) == 0.35
    assert (await world.state.export_value("coefficients", "harm"))["value"] == {"value": 0.35, "updates": 10}
