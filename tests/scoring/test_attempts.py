"""A request that changes nothing is answered without the store, which is then left alone for a while."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from reward_gateway.errors import IdempotencyConflict, StateUnavailable
from reward_gateway.scoring.attempts import Attempt, Attempts
from reward_gateway.state.attempts import Begun, Remembered

from tests.clock import Clock, Gate, finish_at_once

pytestmark = pytest.mark.anyio


class Store:
    """Remembers one body, while it is not away."""

    def __init__(self) -> None:
        self.away = self.slow = False
        self.asked = 0

    async def remember_body(self, address: str, digest: str, ttl_s: float) -> Remembered:
        self.asked += 1
        if self.away:
            raise StateUnavailable("away")
        if self.slow:
            await asyncio.sleep(0.15)
        return ("same" if self.asked > 1 else "new") if digest == "body" else "other"


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def attempts(store: Store) -> Attempts:
    return Attempts(lambda: store, ttl_s=60.0)  # type: ignore[arg-type,return-value]


async def said(attempts: Attempts, body: str = "body") -> Any:
    async def answer() -> int:
        return 7

    computing: Awaitable[int] = answer()
    answered, _ = await attempts.answer_if_same_body("address", body, computing)
    return answered


async def test_a_repeat_is_computed_again_and_refused_with_another_body(attempts: Attempts, store: Store) -> None:
    assert await said(attempts) == 7
    with pytest.raises(IdempotencyConflict):
        await said(attempts, "other body")
    assert store.asked == 2


async def test_a_repeat_is_told_from_the_first_while_the_store_answers(attempts: Attempts, store: Store) -> None:
    async def was_answered() -> bool:
        _, before = await attempts.answer_if_same_body("address", "body", asyncio.sleep(0, 7))
        return before

    assert [await was_answered(), await was_answered()] == [False, True]
    store.away = True
    assert not await was_answered()


@pytest.mark.parametrize("fault", ["away", "slow"])
async def test_a_store_that_is_away_or_slow_is_left_alone_after_five_calls(
    attempts: Attempts, store: Store, clock: Clock, fault: str
) -> None:
    setattr(store, fault, True)
    for _ in range(5):
        asked = asyncio.create_task(said(attempts, "other body"))
        await clock.advance(0.2)
        assert asked.result() == 7
    for _ in range(20):
        assert finish_at_once(said(attempts, "other body")) == 7
    assert store.asked == 5

    await clock.advance(5.1)
    assert finish_at_once(said(attempts, "other body")) == 7, "the store is tried in the background"
    await clock.advance(0.2)
    assert store.asked == 6
    setattr(store, fault, False)
    await clock.advance(10.1)
    assert await said(attempts, "other body") == 7
    await clock.advance(0.2)
    with pytest.raises(IdempotencyConflict):
        await said(attempts, "other body")
    assert await said(attempts) == 7
    assert store.asked == 9


class LeaseStore(Store):
    """Begins every attempt, and keeps what is asked about its lease."""

    def __init__(self) -> None:
        super().__init__()
        self.renewed: list[tuple[str, str, float]] = []
        self.begun_with = ""

    async def begin_attempt(self, address: str, body: str, token: str, lease_s: float, ttl_s: float) -> Begun:
        self.begun_with = token
        return Begun("begun")

    async def renew_lease(self, address: str, token: str, lease_s: float) -> bool:
        self.renewed.append((address, token, lease_s))
        return True

    async def release_lease(self, address: str, token: str) -> None: ...


async def test_a_slow_attempt_renews_its_own_lease_before_it_ends(clock: Clock) -> None:
    leases, gate = LeaseStore(), Gate()
    gate.shut()
    attempts = Attempts(lambda: leases, ttl_s=60.0, lease_s=30.0)

    async def answer(attempt: Attempt) -> int:
        await gate.passed(float("inf"))
        return 7

    answering = asyncio.ensure_future(attempts.answer_once("address", "body", None, answer, len))
    for _ in range(2):
        await clock.advance(11)
    gate.open()
    assert await answering == 7
    assert leases.renewed == [("address", leases.begun_with, 30.0)] * 2
