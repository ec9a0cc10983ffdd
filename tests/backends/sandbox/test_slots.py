"""The sandbox's places are given out in turns, by request."""

import asyncio

import pytest
from reward_gateway.backends.sandbox.slots import FairSlots
from reward_gateway.fair_queue import Share

pytestmark = pytest.mark.anyio


async def test_one_request_of_many_programs_delays_no_other_by_more_than_a_turn() -> None:
    slots, order = FairSlots(1), list[str]()

    async def use(name: str) -> None:
        async with slots.hold(Share(name)):
            order.append(name)
            await asyncio.sleep(0)

    many = [asyncio.create_task(use("many")) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.gather(*many, *(use("few") for _ in range(2)))
    assert "few" in order[:3]
    assert order[:6].count("few") == 2
    assert len(order) == 22


async def test_no_more_than_the_places_are_held_and_one_that_leaves_gives_its_turn_on() -> None:
    slots, held, most = FairSlots(2), 0, 0

    async def use() -> None:
        nonlocal held, most
        async with slots.hold(Share()):
            held += 1
            most = max(most, held)
            await asyncio.sleep(0)
            held -= 1

    tasks = [asyncio.create_task(use()) for _ in range(10)]
    await asyncio.sleep(0)
    for task in tasks[2:8:2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (held, most) == (0, 2)
    async with asyncio.timeout(5), slots.hold(Share()), slots.hold(Share()):
        pass
