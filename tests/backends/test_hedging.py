"""A call that takes long is sent to a second replica, seldom, and the first answer counts."""

import asyncio
from typing import Any

import pytest
from reward_gateway.backends import hedging
from reward_gateway.backends.hedging import Hedging

from tests.clock import turns, until

pytestmark = pytest.mark.anyio


def test_nothing_is_sent_twice_before_the_times_of_calls_are_known() -> None:
    known = Hedging()
    for _ in range(hedging.FEWEST - 1):
        assert known.begin_call() is None
        known.note_answer(0.1)
    known.note_answer(2.0)
    assert known.begin_call() == 0.1


def test_the_time_is_that_in_which_nearly_all_calls_were_answered() -> None:
    known = Hedging()
    for seconds in range(1, 101):
        known.note_answer(float(seconds))
    assert known.begin_call() == 95.0


def test_a_twentieth_of_the_calls_at_most_are_sent_twice() -> None:
    known = Hedging()
    sent = 0
    for _ in range(1000):
        known.begin_call()
        sent += known.take_further_call()
    assert sent == 50


class Calls:
    """Two calls, of which the first hangs until it is told how to end."""

    def __init__(self) -> None:
        self.first: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.second: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.told: list[str] = []
        self.hedging = Hedging(self.told.append)

    async def run(self, *, other: bool = True) -> str:
        self.hedging.note_answer(0.0)

        async def choose() -> Any:
            return (lambda: self.second) if other else None

        return await self.hedging.first_answer(self.first, choose)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hedging, "FEWEST", 1)
    monkeypatch.setattr(hedging, "SHARE", 1.0)


@pytest.mark.usefixtures("at_once")
async def test_the_second_answer_counts_where_it_comes_first_and_the_first_call_is_cancelled() -> None:
    calls = Calls()
    calls.second.set_result("second")
    assert await calls.run() == "second"
    assert calls.first.cancelled()
    assert calls.told == ["sent", "won"]


@pytest.mark.usefixtures("at_once")
async def test_the_first_answer_counts_where_it_comes_first_and_the_second_call_is_cancelled() -> None:
    calls = Calls()
    running = asyncio.create_task(calls.run())
    await until(lambda: calls.told)
    calls.first.set_result("first")
    assert await running == "first"
    assert calls.second.cancelled()
    assert calls.told == ["sent"]


@pytest.mark.usefixtures("at_once")
async def test_a_call_that_fails_leaves_the_answer_to_the_other() -> None:
    calls = Calls()
    running = asyncio.create_task(calls.run())
    await until(lambda: calls.told)
    calls.second.set_exception(ValueError("second"))
    await turns()
    calls.first.set_result("first")
    assert await running == "first"


@pytest.mark.usefixtures("at_once")
async def test_where_both_fail_the_call_fails() -> None:
    calls = Calls()
    running = asyncio.create_task(calls.run())
    await until(lambda: calls.told)
    calls.first.set_exception(ValueError("first"))
    calls.second.set_exception(ValueError("second"))
    with pytest.raises(ValueError, match="second"):
        await running


@pytest.mark.usefixtures("at_once")
async def test_nothing_is_told_where_no_other_replica_may_be_asked() -> None:
    calls = Calls()
    running = asyncio.create_task(calls.run(other=False))
    await turns()
    calls.first.set_result("first")
    assert await running == "first"
    assert calls.told == []


@pytest.mark.usefixtures("at_once")
async def test_an_answer_does_not_wait_until_another_replica_is_found() -> None:
    calls = Calls()
    chosen: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def choose() -> Any:
        return await chosen

    calls.hedging.note_answer(0.0)
    running = asyncio.create_task(calls.hedging.first_answer(calls.first, choose))
    await turns()
    calls.first.set_result("first")
    async with asyncio.timeout(60):
        assert await running == "first"
    assert chosen.cancelled()
    assert calls.told == []
