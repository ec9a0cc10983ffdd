"""Lookups that wait in the same moment share a command, and nobody's keys are looked up twice."""

import asyncio
from collections.abc import Sequence

import pytest
from reward_gateway.cache.lookups import IN_FLIGHT, Lookups, Value

from tests.clock import turns

pytestmark = pytest.mark.anyio


class Store:
    """Answers a key with itself, once the gate is open."""

    def __init__(self) -> None:
        self.asked: list[list[bytes]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fault: Exception | None = None

    async def fetch(self, keys: Sequence[bytes]) -> list[Value]:
        self.asked.append(list(keys))
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return list(keys)


async def test_each_gets_the_values_of_its_own_keys_from_one_command() -> None:
    store = Store()
    lookups = Lookups(store.fetch)
    keys = [[b"a", b"b"], [b"c"], [b"d", b"e"]]
    assert await asyncio.gather(*map(lookups.get, keys)) == keys
    assert store.asked == [[b"a", b"b", b"c", b"d", b"e"]]


async def test_what_was_sent_waits_no_longer() -> None:
    store = Store()
    lookups = Lookups(store.fetch)
    for key in (b"a", b"b", b"c"):
        assert await lookups.get([key]) == [key]
    assert store.asked == [[b"a"], [b"b"], [b"c"]]
    assert lookups._waiting == []
    await turns()
    assert lookups._tasks == set()


async def test_with_as_many_under_way_as_may_be_the_next_gather_and_go_together() -> None:
    store = Store()
    store.gate.clear()
    lookups = Lookups(store.fetch)
    asking = []
    for number in range(IN_FLIGHT + 3):
        asking.append(asyncio.create_task(lookups.get([b"%d" % number])))
        await turns()
    assert len(store.asked) == IN_FLIGHT
    store.gate.set()
    assert await asyncio.gather(*asking) == [[b"%d" % number] for number in range(IN_FLIGHT + 3)]
    assert store.asked[IN_FLIGHT:] == [[b"4", b"5", b"6"]]


async def test_a_caller_who_left_is_not_looked_up() -> None:
    store = Store()
    lookups = Lookups(store.fetch)
    gone, stays = asyncio.create_task(lookups.get([b"a"])), asyncio.create_task(lookups.get([b"b"]))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == [b"b"]
    assert store.asked in ([[b"b"]], [[b"a", b"b"]])


async def test_a_caller_who_leaves_meanwhile_does_not_shift_the_answers_of_the_others() -> None:
    store = Store()
    store.gate.clear()
    lookups = Lookups(store.fetch)
    gone, stays = asyncio.create_task(lookups.get([b"a", b"b"])), asyncio.create_task(lookups.get([b"c"]))
    await turns()
    gone.cancel()
    await turns()
    store.gate.set()
    assert await stays == [b"c"]


async def test_a_fault_is_everybodys_and_the_next_lookup_is_a_new_one() -> None:
    store = Store()
    store.fault = ConnectionError("gone")
    lookups = Lookups(store.fetch)
    faults = await asyncio.gather(lookups.get([b"a"]), lookups.get([b"b"]), return_exceptions=True)
    assert [type(fault) for fault in faults] == [ConnectionError] * 2
    store.fault = None
    assert await lookups.get([b"a"]) == [b"a"]


async def test_closing_ends_what_is_under_way() -> None:
    store = Store()
    store.gate.clear()
    lookups = Lookups(store.fetch)
    asking = asyncio.create_task(lookups.get([b"a"]))
    await turns()
    await lookups.close()
    await turns()
    assert lookups._tasks == set()
    asking.cancel()


async def test_closing_waits_until_nothing_is_under_way() -> None:
    store = Store()
    store.gate.clear()
    lookups = Lookups(store.fetch)
    asking = asyncio.ensure_future(lookups.get([b"a"]))
    await turns()
    under_way = set(lookups._tasks)
    await lookups.close()
    assert under_way
    assert all(task.done() for task in under_way)
    asking.cancel()
