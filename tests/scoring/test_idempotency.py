"""A request with an idempotency key counts once, however often it is sent, and to whichever gateway."""

import asyncio
from typing import Any

import numpy as np
import pytest
from reward_gateway.errors import DeadlineExceeded, IdempotencyConflict, ModelUnavailable, Unscorable
from reward_gateway.gateway import ScoreOptions
from reward_gateway.sample import ComponentScores, Invalid, Scored, Usage
from reward_gateway.scoring.body_digest import digest_body
from reward_gateway.scoring.recorded_answers import decode_scores, encode_scores
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.state.namespace import Namespace

from .conftest import World, batch_of

pytestmark = pytest.mark.anyio


def keyed(key: str = "key", caller: str = "a", **options: Any) -> ScoreOptions:
    return ScoreOptions(scope=RequestScope(caller, "", key), **options)


async def test_a_repeat_gets_the_same_answer_and_counts_once(world: World) -> None:
    first, second = world.gateway(), world.gateway()
    answers = [await gateway.score(batch_of(1, 3), "scaled", keyed()) for gateway in (first, second, first)]
    assert await world.state.moments.within(Namespace("a")).read("run") == (2.0, 2.0, 2.0)
    assert [answer.reward.tolist() for answer in answers] == [answers[0].reward.tolist()] * 3
    assert world.models.asked == 1


async def test_without_a_key_with_another_one_or_from_another_caller_a_request_is_a_new_one(world: World) -> None:
    gateway = world.gateway()
    for options in (None, None, keyed(), keyed("other"), keyed(caller="b")):
        await gateway.score(batch_of(1, 3), "scaled", options)
    assert [await world.count(caller=caller) for caller in ("anonymous", "a", "b")] == [4, 4, 2]


@pytest.mark.parametrize("reward", ["scaled", "cohort", "plain"])
async def test_a_key_belongs_to_one_body(world: World, reward: str) -> None:
    first, second = world.gateway(), world.gateway()
    await first.score(batch_of(1, 3, 5), reward, keyed())
    for changed in (batch_of(1, 4, 5), batch_of(1, 3), batch_of(1, 3, 5, ids=["x", "y", "z"])):
        with pytest.raises(IdempotencyConflict):
            await second.score(changed, reward, keyed())
    with pytest.raises(IdempotencyConflict):
        await second.score(batch_of(1, 3, 5), reward, keyed(on_invalid="fail"))
    await second.score(batch_of(1, 3, 5), reward, keyed())


async def test_a_repeat_waits_for_the_request_that_is_at_work(world: World) -> None:
    first, second = world.gateway(), world.gateway()
    world.models.gate.clear()
    tasks = [asyncio.create_task(g.score(batch_of(1, 3), "scaled", keyed())) for g in (first, first, second)]
    while not world.models.asked:
        await asyncio.sleep(0)
    with pytest.raises(DeadlineExceeded):
        await second.score(batch_of(1, 3), "scaled", keyed(deadline=asyncio.get_running_loop().time()))
    world.models.gate.set()
    answers = await asyncio.gather(*tasks)
    assert [answer.reward.tolist() for answer in answers] == [answers[0].reward.tolist()] * 3
    assert (world.models.asked, await world.count()) == (1, 2)


async def test_a_request_that_failed_gives_its_key_back(world: World) -> None:
    gateway = world.gateway()
    world.models.away = True
    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            await gateway.score(batch_of(1, 3), "scaled", keyed())
    world.models.away = False
    unscorable = batch_of(1, 3)
    unscorable.responses[1] = None
    with pytest.raises(Unscorable):
        await gateway.score(unscorable, "scaled", keyed(on_invalid="fail"))
    await gateway.score(batch_of(1, 3), "scaled", keyed())
    assert await world.count() == 2


async def test_a_caller_who_has_gone_gives_the_key_back(world: World) -> None:
    first, second = world.gateway(), world.gateway()
    world.models.gate.clear()
    gone = asyncio.create_task(first.score(batch_of(1, 3), "scaled", keyed()))
    while not world.models.asked:
        await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    world.models.gate.set()
    await second.score(batch_of(1, 3), "scaled", keyed())
    assert await world.count() == 2


async def test_a_process_that_was_taken_over_counts_nothing_and_gives_the_others_answer(world: World) -> None:
    first, second = world.gateway(), world.gateway()
    world.models.gate.clear()
    stopped = asyncio.create_task(first.score(batch_of(1, 3), "scaled", keyed()))
    while not world.models.asked:
        await asyncio.sleep(0)
    await world.expire_lease(keyed().scope.make_attempt_address("score", "scaled"))
    takes_over = asyncio.create_task(second.score(batch_of(1, 3), "scaled", keyed()))
    while world.models.asked < 2:
        await asyncio.sleep(0)
    world.models.gate.set()
    answers = await asyncio.gather(stopped, takes_over)
    assert answers[0].reward.tolist() == answers[1].reward.tolist()
    assert await world.count() == 2


async def test_samples_that_the_server_failed_are_scored_by_the_repeat_and_the_others_stay(world: World) -> None:
    first, second = world.gateway(), world.gateway()
    world.models.unscorable = {"3.0"}
    before = await first.score(batch_of(1.0, 3.0, 5.0), "scaled", keyed())
    assert (set(before.invalid), await world.count()) == ({1}, 2)
    world.models.unscorable = set()
    after = await second.score(batch_of(1.0, 3.0, 5.0), "scaled", keyed())
    assert (after.invalid, await world.count()) == ({}, 3)
    assert after.reward[[0, 2]].tolist() == before.reward[[0, 2]].tolist()
    again = await first.score(batch_of(1.0, 3.0, 5.0), "scaled", keyed())
    assert (again.reward.tolist(), await world.count()) == (after.reward.tolist(), 3)


async def test_a_retried_sample_joins_its_cohort_once(world: World) -> None:
    first, second = world.gateway(), world.gateway()
    lost = asyncio.create_task(first.score(batch_of(1), "cohort", keyed("one")))
    await world.joined(1)
    lost.cancel()
    with pytest.raises(asyncio.CancelledError):
        await lost
    scores = await asyncio.gather(
        second.score(batch_of(1), "cohort", keyed("one")),
        first.score(batch_of(5), "cohort", keyed("two")),
        second.score(batch_of(6), "cohort", keyed("three")),
    )
    assert [scored.reward.tolist() for scored in scores] == [[-3.0], [1.0], [2.0]]
    late = await first.score(batch_of(1), "cohort", keyed("one"))
    assert late.reward.tolist() == [-3.0]


async def test_an_operation_counts_once_too(world: World) -> None:
    first, second = world.gateway(), world.gateway()
    scope = RequestScope("a", "", "key")
    items = [{"reward": 1.0, "stream": "run"}, {"reward": 3.0, "stream": "run"}]
    answers = [
        await g.operations.apply_items("transform", "running_scale", items, {}, scope=scope) for g in (first, second)
    ]
    assert answers[0] == answers[1]
    assert await world.count() == 2
    for changed, params in ((items[:1], {}), (items, {"center": True})):
        with pytest.raises(IdempotencyConflict):
            await second.operations.apply_items("transform", "running_scale", changed, params, scope=scope)
    await first.operations.apply_items("transform", "affine", [{"reward": 1.0}], {}, scope=scope)
    with pytest.raises(IdempotencyConflict):
        await second.operations.apply_items("transform", "affine", [{"reward": 2.0}], {}, scope=scope)


async def test_novelty_joins_the_archive_once(world: World) -> None:
    first, second = world.gateway(), world.gateway()
    scope = RequestScope("a", "", "key")
    items = [{"descriptor": [float(i)], "archive": "run"} for i in range(3)]
    answers = [
        await g.operations.apply_items("score", "novelty", items, {"add": "all"}, scope=scope) for g in (first, second)
    ]
    assert answers[0] == answers[1]
    assert len(await world.state.archives.within(Namespace("a")).read("run")) == 3


def test_a_recorded_answer_comes_back_as_it_was() -> None:
    scored = Scored(
        recipe="r",
        version="b3:1",
        reward=np.array([0.1, np.nan]),
        components={
            "a": ComponentScores(np.array([1.0, np.nan]), np.array([0.1, np.nan]), "m", "1", np.array([True, False])),
            "b": ComponentScores(
                np.array([3.0, 0.0]),
                np.array([3.0, 0.0]),
                vectors=[np.array([1.0, 2.0]), None],
                judge_answers=["\ud800 words", None],
            ),
        },
        rewards=[[0.5, 0.25], None],
        invalid={1: Invalid("model_error", "broken", "a", "response")},
        flags={0: ("truncated",)},
        usage=Usage(2, 1, 1, 1),
        timing_ms={"total": 1.5},
    )
    found = decode_scores(encode_scores(scored))
    for name, own in found.components.items():
        before = scored.components[name]
        np.testing.assert_array_equal(own.raw, before.raw)
        np.testing.assert_array_equal(own.value, before.value)
        assert (own.model, own.model_version, own.judge_answers) == (
            before.model,
            before.model_version,
            before.judge_answers,
        )
    assert found.components["a"].cached is not None
    assert found.components["a"].cached.tolist() == [True, False]
    vectors = found.components["b"].vectors
    assert vectors is not None
    assert [None if vector is None else vector.tolist() for vector in vectors] == [[1.0, 2.0], None]
    np.testing.assert_array_equal(found.reward, scored.reward)
    assert (found.rewards, found.invalid, found.flags, found.usage, found.timing_ms) == (
        scored.rewards,
        scored.invalid,
        scored.flags,
        scored.usage,
        scored.timing_ms,
    )


def test_equal_bodies_have_one_digest_and_others_another() -> None:
    assert digest_body({"a": 1, "b": "\ud800"}) == digest_body({"b": "\ud800", "a": 1})
    assert digest_body([{"a": 1, "b": 2}]) == digest_body([{"b": 2, "a": 1}])
    assert len({digest_body(value) for value in ([1], [2], ["1"], [b"1"], [None], [[1]], "\ud800", "\ud801")}) == 8


async def test_a_request_that_was_committed_has_no_lease_to_give_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[str] = []
    gateway = world.gateway()

    async def release(self: Any, address: str, token: str) -> None:
        released.append(address)

    monkeypatch.setattr(type(world.state.attempts), "release_lease", release)
    await gateway.score(batch_of(1, 3), "scaled", keyed())
    assert released == []
