"""Writes behind the answers: within a budget of bytes, which comes back as they are written."""

import asyncio
from collections.abc import Sequence

import pytest
from reward_gateway.cache.port import Entry
from reward_gateway.cache.writer import PIPELINE, Item, Writer

from tests.clock import Clock, turns

pytestmark = pytest.mark.anyio


class Store:
    """Keeps what is written, in the pipelines in which it came; each waits at the gate, if it is shut."""

    def __init__(self) -> None:
        self.pipelines: list[list[bytes]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, items: Sequence[Item]) -> None:
        await self.gate.wait()
        self.pipelines.append([key for key, _ in items])


def items(*keys: str, size: int = 9) -> list[Item]:
    """Entries of ten bytes each, their key of one byte included."""
    return [(key.encode(), Entry(b"v" * size)) for key in keys]


async def test_what_fills_the_budget_is_taken_and_a_byte_more_is_refused() -> None:
    store = Store()
    store.gate.clear()
    writer = Writer(store.write, max_bytes=30)
    assert writer.put(items("a", "b", "c"))
    assert not writer.put([(b"", Entry(b"v"))])
    await writer.close(0)


async def test_what_was_refused_takes_no_budget() -> None:
    store = Store()
    store.gate.clear()
    writer = Writer(store.write, max_bytes=30)
    assert writer.put(items("a"))
    assert not writer.put(items("b", "c", "d"))
    assert writer.put(items("e", "f"))
    store.gate.set()
    await turns()
    assert store.pipelines == [[b"a", b"e", b"f"]]


async def test_what_was_written_gives_its_budget_back() -> None:
    store = Store()
    writer = Writer(store.write, max_bytes=30)
    for round_ in range(5):
        assert writer.put(items("a", "b")), round_
        assert writer.put(items("c")), round_
        assert not writer.put(items("d")), round_
        await turns()
    assert store.pipelines == [[b"a", b"b", b"c"]] * 5


async def test_entries_go_in_their_order_in_pipelines_of_a_bounded_size() -> None:
    store = Store()
    store.gate.clear()
    writer = Writer(store.write, max_bytes=1 << 20)
    keys = [b"%d" % number for number in range(2 * PIPELINE + 10)]
    for at in range(0, len(keys), 10):
        assert writer.put([(key, Entry(b"v")) for key in keys[at : at + 10]])
    store.gate.set()
    await turns(50)
    assert [key for pipeline in store.pipelines for key in pipeline] == keys
    assert max(map(len, store.pipelines)) == PIPELINE


async def test_a_pipeline_is_not_longer_because_of_one_large_request() -> None:
    store = Store()
    writer = Writer(store.write, max_bytes=1 << 20)
    assert writer.put([(b"%d" % number, Entry(b"v")) for number in range(2 * PIPELINE + 10)])
    await turns(50)
    assert list(map(len, store.pipelines)) == [PIPELINE, PIPELINE, 10]


async def test_closing_waits_for_what_waits_as_long_as_it_may(clock: Clock) -> None:
    store = Store()
    store.gate.clear()
    writer = Writer(store.write, max_bytes=100)
    assert writer.put(items("a"))
    closing = asyncio.create_task(writer.close(600))
    await clock.advance(599)
    assert not closing.done()
    await clock.advance(2)
    await closing
    assert store.pipelines == []


async def test_closing_a_writer_that_has_written_nothing_waits_for_nothing() -> None:
    await Writer(Store().write, max_bytes=100).close(3600)
