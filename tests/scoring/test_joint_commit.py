"""Parts of one request write together, once all of them know what, or not at all."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import GatewayError, ModelUnavailable
from reward_gateway.scoring.attempts import Attempt
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.joint_commit import JointCommit
from reward_gateway.scoring.services import PendingCommit, ScoringServices
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

from tests.clock import turns
from tests.scoring.conftest import FailingModels

pytestmark = pytest.mark.anyio


class Services(ScoringServices):
    """Writes to a store in this process, and notes how many parts each commit had."""

    def __init__(self) -> None:
        super().__init__(CachedScorer(FailingModels(), NullCache()), StateStore.in_process())
        self.commits: list[int] = []

    async def commit_together(self, commits: Sequence[PendingCommit]) -> None:
        self.commits.append(len(commits))
        await super().commit_together(commits)

    async def count(self) -> float:
        return (await self.state.moments.read("run"))[0]


@pytest.fixture
def services(anyio_backend: str) -> Services:
    return Services()


def joint(services: Services, refuse: GatewayError | None = None) -> JointCommit[int]:
    def check() -> None:
        if refuse is not None:
            raise refuse

    return JointCommit(services, check)


def one_number() -> StateWrites:
    return StateWrites().merge_moments("run", 1.0, 5.0, 0.0)


async def test_what_all_parts_write_is_one_commit(services: Services) -> None:
    together = joint(services)
    seen: list[float] = []

    async def part(number: int) -> int:
        await turns(3 * number)
        seen.append(await services.count())
        await together.commit(one_number())
        seen.append(await services.count())
        return number

    assert await together.run([part(number) for number in range(3)]) == [0, 1, 2]
    assert seen == [0.0] * 3 + [3.0] * 3
    assert services.commits == [3]


async def test_a_part_that_writes_nothing_and_one_that_fails_hold_nobody_up(services: Services) -> None:
    together = joint(services)
    failure = ModelUnavailable("away")

    async def write() -> int:
        await together.commit(one_number())
        return 1

    async def read() -> int:
        await turns(5)
        return 2

    async def fail() -> int:
        await turns(9)
        raise failure

    assert await together.run([write(), read(), fail(), write()]) == [1, 2, failure, 1]
    assert services.commits == [2]
    assert await services.count() == 2


async def test_where_the_request_cannot_be_answered_nothing_is_written(services: Services) -> None:
    refusal = ModelUnavailable("one part too few")
    together = joint(services, refusal)

    async def write() -> int:
        await together.commit(one_number())
        return 1

    assert await together.run([write(), write()]) == [refusal, refusal]
    assert services.commits == []
    assert await services.count() == 0


async def test_a_fault_of_a_part_is_raised_as_it_is_and_ends_the_others(services: Services) -> None:
    together = joint(services)
    ended: list[str] = []

    async def write() -> int:
        try:
            await together.commit(one_number())
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return 1

    async def break_down() -> int:
        await turns()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await together.run([write(), break_down()])
    assert ended == ["cancelled"]
    assert await services.count() == 0


async def test_a_part_may_commit_again_and_each_has_its_record(services: Services) -> None:
    together = joint(services)
    attempts: list[Any] = []

    async def write(name: str) -> int:
        for turn in range(2):
            address = f"{name} {turn}"
            await services.state.attempts.begin_attempt(address, "body", "token", 60.0, 60.0)
            attempts.append(Attempt(address, "token", 60.0))
            await together.commit(one_number(), attempts[-1], address.encode(), complete=turn == 0)
        return 0

    await together.run([write("a"), write("b")])
    assert services.commits == [2, 2]
    assert await services.count() == 4
    assert all(attempt.committed for attempt in attempts)
    begin = services.state.attempts.begin_attempt
    found = {address: await begin(address, "body", "t", 1.0, 1.0) for address in ("a 0", "b 0", "a 1")}
    assert {address: (begun.outcome, begun.record) for address, begun in found.items()} == {
        "a 0": ("done", b"a 0"),
        "b 0": ("done", b"b 0"),
        "a 1": ("begun", b"a 1"),
    }


async def test_a_part_answers_a_repeat_completely_unless_it_says_otherwise(services: Services) -> None:
    begin = services.state.attempts.begin_attempt
    for address in ("whole", "half"):
        await begin(address, "body", "token", 60.0, 60.0)
    await services.commit_together(
        [
            PendingCommit(one_number(), Attempt("whole", "token", 60.0), b"answer"),
            PendingCommit(one_number(), Attempt("half", "token", 60.0), b"answer", complete=False),
            PendingCommit(one_number()),
        ]
    )
    assert await services.count() == 3
    assert [(await begin(address, "body", "t", 1.0, 1.0)).outcome for address in ("whole", "half")] == ["done", "begun"]
