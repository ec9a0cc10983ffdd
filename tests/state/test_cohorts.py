"""A cohort collects the samples of one prompt across requests and processes."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import redis
from reward_gateway.state import cohorts
from reward_gateway.state.cohorts import Cohorts, LocalCohorts, RedisCohorts
from reward_gateway.state.namespace import NO_NAMESPACE, Namespace
from reward_gateway.tasks import end_task

from tests.clock import LONGEST_WAIT_S, Clock, until

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["in_process", "redis"])
async def homes(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[tuple[Cohorts, Cohorts]]:
    """Two processes' views of one home; in this process there is one view."""
    if request.param == "in_process":
        local = LocalCohorts()
        yield local, local
        return
    url = request.getfixturevalue("redis_url")
    first, second = RedisCohorts(url, timeout_s=60.0), RedisCohorts(url, timeout_s=60.0)
    yield first, second
    await first.close()
    await second.close()


async def test_who_comes_together_sees_the_same_members_each_from_its_own_place(homes: tuple[Cohorts, Cohorts]) -> None:
    joins = [homes[i % 2].join("full", [float(i), -float(i)], 8, 3600.0) for i in range(8)]
    cohorts = await asyncio.wait_for(asyncio.gather(*joins), LONGEST_WAIT_S)
    assert sorted(cohort.place for cohort in cohorts) == list(range(8))
    for i, cohort in enumerate(cohorts):
        assert cohort.members[cohort.place].tolist() == [float(i), -float(i)]
        assert np.array_equal(cohort.members, cohorts[0].members)


async def test_the_next_sample_opens_the_next_cohort(homes: tuple[Cohorts, Cohorts]) -> None:
    cohorts = await asyncio.gather(*(homes[i % 2].join("next", [float(i)], 2, 3600.0) for i in range(6)))
    assert [len(cohort.members) for cohort in cohorts] == [2] * 6


async def test_hundreds_of_members_join_at_once(homes: tuple[Cohorts, Cohorts]) -> None:
    """A request of 150 prompts: more commands than a client opens connections for."""
    joins = [homes[0].join(f"prompt {i // 2}", [float(i)], 2, 3600.0) for i in range(300)]
    cohorts = await asyncio.wait_for(asyncio.gather(*joins), LONGEST_WAIT_S)
    assert [len(cohort.members) for cohort in cohorts] == [2] * 300


def waiting_in(home: Cohorts) -> int:
    """How many members wait for their cohorts to close."""
    if isinstance(home, LocalCohorts):
        return sum(len(cohort.payloads) for cohort in home._open.values())
    assert isinstance(home, RedisCohorts)
    return sum(len(events) for events in home._waiting.values())


async def test_a_cohort_that_stays_small_closes_when_its_time_is_up(
    homes: tuple[Cohorts, Cohorts], clock: Clock
) -> None:
    joins = [asyncio.create_task(home.join("small", [1.0], 5, 3600.0)) for home in homes]
    await until(lambda: sum(map(waiting_in, set(homes))) == 2)
    await clock.advance(3601)
    cohorts = await asyncio.gather(*joins)
    assert [len(cohort.members) for cohort in cohorts] == [2, 2]


async def test_a_member_without_a_number_is_counted_and_says_nothing(homes: tuple[Cohorts, Cohorts]) -> None:
    cohorts = await asyncio.gather(
        homes[0].join("void", [float("nan")], 2, 3600.0), homes[1].join("void", [2.0], 2, 3600.0)
    )
    assert sorted(np.isnan(cohort.members[cohort.place, 0]) for cohort in cohorts) == [False, True]


async def test_who_waits_is_woken_although_the_message_that_its_cohort_closed_was_lost(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cohorts, "RECHECK_S", 0.05)
    first, second = RedisCohorts(redis_url, timeout_s=60.0), RedisCohorts(redis_url, timeout_s=60.0)
    waiting = asyncio.create_task(first.join("lost", [1.0], 2, 3600.0))
    await until(lambda: first._waiting)
    await end_task(first._listener)  # nobody listens: whatever is published is lost
    joined = await second.join("lost", [2.0], 2, 3600.0)
    assert (await asyncio.wait_for(waiting, LONGEST_WAIT_S)).members.tolist() == joined.members.tolist()
    await first.close()
    await second.close()


async def test_members_of_two_namespaces_never_meet(homes: tuple[Cohorts, Cohorts]) -> None:
    """A run all right, a run all wrong and another tenant's run, on the same prompt."""
    spaces = Namespace("alice", "a"), Namespace("alice", "b"), Namespace("bob", "a")
    joins = [
        homes[i % 2].join("prompt", [float(owner)], 4, 3600.0, f"member {i}", space)
        for i in range(4)
        for owner, space in enumerate(spaces)
    ]
    closed = await asyncio.wait_for(asyncio.gather(*joins), LONGEST_WAIT_S)
    assert [cohort.members.ravel().tolist() for cohort in closed] == [[float(i % 3)] * 4 for i in range(12)]
    again = await homes[1].join("prompt", [9.0], 4, 3600.0, "member 0", spaces[1])
    assert again.members.ravel().tolist() == [1.0] * 4


async def test_whoever_leaves_at_any_moment_after_joining_has_left(redis_url: str, anyio_backend: str) -> None:
    """The moment at which a command has been sent and not answered is one of them, and is easily missed."""
    cohorts = RedisCohorts(redis_url, timeout_s=60.0)
    with redis.Redis.from_url(redis_url) as client:
        await end_task(asyncio.create_task(cohorts.join("first", [1.0], 1, 3600.0)))  # it is connected now
        for turns in range(40):
            join = asyncio.create_task(cohorts.join(f"cohort {turns}", [1.0], 2, 3600.0))
            while client.get(f"{NO_NAMESPACE.run_keys}cohorts:open:cohort {turns}") is None:
                await asyncio.sleep(0)
            for _ in range(turns % 8):
                await asyncio.sleep(0)
            join.cancel()
            done, _ = await asyncio.wait({join}, timeout=LONGEST_WAIT_S)
            assert done, f"it is still in its cohort, {turns % 8} turns after its command was taken"
            assert join.cancelled()
    await cohorts.close()
