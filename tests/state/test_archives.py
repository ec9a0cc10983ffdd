"""state/archives.py."""

import asyncio

import numpy as np
import pytest
from reward_gateway.errors import InvalidRequest
from reward_gateway.sample import FloatArray
from reward_gateway.state.archives import CAP
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

pytestmark = pytest.mark.anyio


async def add(store: StateStore, vectors: FloatArray) -> None:
    await store.commit(StateWrites().append_to_archive("run", vectors))


async def test_vectors_come_back_as_they_were_added(store: StateStore) -> None:
    first, second = np.array([[0.1, -2.0, 1e-300]]), np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    await add(store, first)
    await add(store, second)
    np.testing.assert_array_equal(await store.archives.read("run"), np.concatenate([first, second]))


async def test_an_unknown_archive_is_empty_and_adding_nothing_leaves_it_unknown(store: StateStore) -> None:
    await add(store, np.empty((0, 3)))
    assert (await store.archives.read("run")).size == 0
    assert await store.archives.list_versions() == {}


async def test_vectors_of_another_size_are_refused_and_nothing_is_added(store: StateStore) -> None:
    await add(store, np.ones((1, 2)))
    with pytest.raises(InvalidRequest, match="vectors of 2 numbers and these have 3") as refused:
        await add(store, np.ones((2, 3)))
    assert refused.value.param == "vectors"
    assert (await store.archives.read("run")).shape == (1, 2)


async def test_concurrent_adds_lose_nothing(store: StateStore) -> None:
    await asyncio.gather(*(add(store, np.full((2, 1), float(i))) for i in range(50)))
    assert sorted((await store.archives.read("run")).ravel()) == sorted(2 * [float(i) for i in range(50)])


async def test_the_newest_stay(store: StateStore) -> None:
    await add(store, np.arange(CAP, dtype=float)[:, None])
    await add(store, np.array([[-1.0], [-2.0]]))
    archive = await store.archives.read("run")
    assert archive.shape == (CAP, 1)
    assert (archive[0, 0], archive[-1, 0]) == (2.0, -2.0)


async def test_a_reader_cannot_change_the_archive(store: StateStore) -> None:
    await add(store, np.ones((1, 2)))
    (await store.archives.read("run"))[:] = 5.0
    np.testing.assert_array_equal(await store.archives.read("run"), np.ones((1, 2)))


async def test_an_import_keeps_the_newest_and_an_empty_one_forgets_the_archive(store: StateStore) -> None:
    await store.archives.restore_value("run", [[float(i)] for i in range(CAP + 2)])
    archive = await store.archives.read("run")
    assert (len(archive), archive[0, 0], archive[-1, 0]) == (CAP, 2.0, CAP + 1.0)
    await store.archives.restore_value("run", [])
    assert (await store.archives.read("run")).size == 0
    assert await store.archives.export_value("run") is None


async def test_vectors_of_one_request_add_up_and_have_one_size(store: StateStore) -> None:
    writes = StateWrites().append_to_archive("run", [[1.0, 2.0]]).append_to_archive("run", [[3.0, 4.0]])
    with pytest.raises(InvalidRequest):
        writes.append_to_archive("run", [[5.0]])
    await store.commit(writes)
    assert (await store.archives.read("run")).tolist() == [[1.0, 2.0], [3.0, 4.0]]
