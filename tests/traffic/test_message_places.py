"""Messages that are received at once: whoever sends slowly leaves a place for somebody else, and none is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from reward_gateway.errors import DeadlineExceeded, Overloaded
from reward_gateway.traffic.message_places import MessagePlaces

from tests.clock import Clock, turns

pytestmark = pytest.mark.anyio

LATE_S = 3600.0


@asynccontextmanager
async def senders(places: MessagePlaces, *callers: str, late_s: float = LATE_S) -> AsyncIterator[list[str]]:
    """Calls that hold or wait for a place until the block ends; yields the callers in the order of their places."""
    held: list[str] = []
    done = asyncio.Event()

    async def send(caller: str) -> None:
        async with places.hold(caller, asyncio.get_running_loop().time() + late_s):
            held.append(caller)
            await done.wait()

    tasks = [asyncio.create_task(send(caller)) for caller in callers]
    await turns()
    try:
        yield held
    finally:
        done.set()
        await turns(50)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_caller_leaves_places_for_others() -> None:
    places = MessagePlaces(16, 100)
    async with senders(places, *["slow"] * 20) as slow:
        assert (len(slow), places.waiting) == (8, 12)
        async with senders(places, *["second"] * 20) as second:
            assert len(second) == 4
            async with senders(places, "third") as third:
                assert third == ["third"]
        assert (places.held, places.waiting) == (8, 12)
    assert (places.held, places.waiting) == (0, 0)


async def test_who_waits_is_served_as_places_become_free_and_the_least_served_first() -> None:
    places = MessagePlaces(2, 100)
    async with senders(places, "a") as first:
        assert first == ["a"]
        async with senders(places, "a", "a", "b") as later:
            assert later == ["b"]
    assert (places.held, places.waiting) == (0, 0)


async def test_one_place_is_for_everybody_in_turn() -> None:
    places = MessagePlaces(1, 100)
    order: list[str] = []

    async def send(caller: str) -> None:
        async with places.hold(caller, asyncio.get_running_loop().time() + LATE_S):
            order.append(caller)
            await asyncio.sleep(0)

    await asyncio.gather(*(send(caller) for caller in "aab"))
    assert sorted(order) == ["a", "a", "b"]
    assert (places.held, places.waiting) == (0, 0)


async def test_too_many_that_wait_are_refused_and_told_when_to_come_again() -> None:
    places = MessagePlaces(1, 1)
    async with senders(places, "a", "a"):
        with pytest.raises(Overloaded) as refused:
            async with places.hold("b", asyncio.get_running_loop().time() + LATE_S):
                pass
        assert refused.value.retry_after_s
    assert (places.held, places.waiting) == (0, 0)


async def test_a_deadline_that_passes_while_a_call_waits_is_exceeded(clock: Clock) -> None:
    places = MessagePlaces(1, 1)
    async with senders(places, "a"):

        async def wait() -> None:
            async with places.hold("b", clock.now() + LATE_S):
                pass

        waiting = asyncio.create_task(wait())
        await clock.advance(LATE_S + 1)
        with pytest.raises(DeadlineExceeded):
            await waiting
        assert places.waiting == 0


async def test_a_place_given_just_as_its_caller_leaves_is_passed_on() -> None:
    places = MessagePlaces(1, 10)
    order: list[str] = []
    leave = asyncio.Event()

    async def send(caller: str) -> None:
        async with places.hold(caller, asyncio.get_running_loop().time() + LATE_S):
            order.append(caller)
            if caller == "first":
                await leave.wait()

    first, gone, last = [asyncio.create_task(send(caller)) for caller in ("first", "gone", "last")]
    await turns()
    leave.set()
    while places.waiting == 2:
        await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(first, gone, last, return_exceptions=True)
    assert order[-1] == "last"
    assert (places.held, places.waiting) == (0, 0)
