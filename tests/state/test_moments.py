"""state/moments.py: one running moment, whoever updates it."""

import asyncio
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.state.moments import merge_triples
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

pytestmark = pytest.mark.anyio

WRITER = Path(__file__).with_name("moments_writer.py")


def moments(values: list[float]) -> tuple[float, float, float]:
    mean = statistics.fmean(values) if values else 0.0
    return float(len(values)), mean, sum((value - mean) ** 2 for value in values)


async def merge(store: StateStore, stream: str, batch: tuple[float, float, float]) -> tuple[float, float, float]:
    """Merge a batch; the stream after it."""
    await store.commit(StateWrites().merge_moments(stream, *batch))
    return await store.moments.read(stream)


async def test_a_stream_begins_with_its_first_batch_and_merges_the_next(store: StateStore) -> None:
    assert await merge(store, "run", moments([1.0, 3.0])) == (2.0, 2.0, 2.0)
    assert await merge(store, "run", moments([5.0])) == (3.0, 3.0, 8.0)


async def test_streams_do_not_touch_each_other(store: StateStore) -> None:
    await merge(store, "a", moments([100.0]))
    assert await merge(store, "b", moments([1.0])) == (1.0, 1.0, 0.0)


async def test_an_empty_batch_reads_the_stream_and_leaves_its_version(store: StateStore) -> None:
    await merge(store, "run", moments([1.0, 3.0]))
    before = await store.moments.list_versions()
    assert await merge(store, "run", moments([])) == (2.0, 2.0, 2.0)
    assert await merge(store, "other", moments([])) == (0.0, 0.0, 0.0)
    assert await store.moments.list_versions() == before


async def test_concurrent_merges_lose_nothing(store: StateStore) -> None:
    batches = [[float(i), float(i * i % 17)] for i in range(64)]
    await asyncio.gather(*(merge(store, "run", moments(batch)) for batch in batches))
    serial = moments([value for batch in batches for value in batch])
    assert await merge(store, "run", moments([])) == pytest.approx(serial, rel=1e-12)


async def test_both_homes_give_the_same_bits(redis_url: str) -> None:
    shared, local = StateStore.connect(redis_url, timeout_s=60.0), StateStore.in_process()
    for i in range(50):
        batch = moments([i / 7, -1e4 / (i + 1), 0.1 * i])
        assert await merge(shared, "same-bits", batch) == await merge(local, "same-bits", batch)
    await shared.close()


async def test_four_processes_at_once_equal_the_serial_result(redis_url: str) -> None:
    stream, processes, batches = "four-processes", 4, 200
    writers = [
        subprocess.Popen([sys.executable, str(WRITER), redis_url, stream, str(number), str(batches)])
        for number in range(processes)
    ]
    assert [writer.wait(240) for writer in writers] == [0] * processes
    values = [value for number in range(processes) for i in range(batches) for value in batch_of(number, i)]
    shared = StateStore.connect(redis_url, timeout_s=60.0)
    after = await shared.moments.read(stream)
    await shared.close()
    assert after == pytest.approx(moments(values), rel=1e-9)


def batch_of(number: int, i: int) -> list[float]:
    """The values that writer ``number`` merges in its batch ``i``; moments_writer.py makes the same."""
    return [1000.0 * number + ((i * 7919 + k * 104729) % 2003) / 10.0 - 100.0 for k in range(1 + i % 5)]


@given(st.lists(st.lists(st.floats(-1e4, 1e4), max_size=8), max_size=6))
@settings(max_examples=50, deadline=None)
def test_any_split_of_a_stream_gives_its_moments(parts: list[list[float]]) -> None:
    total = (0.0, 0.0, 0.0)
    for part in parts:
        total = merge_triples(total, moments(part))
    count, mean, m2 = moments([value for part in parts for value in part])
    assert total[0] == count
    assert total[1] == pytest.approx(mean, rel=1e-9, abs=1e-9)
    assert total[2] == pytest.approx(m2, rel=1e-9, abs=1e-6)
