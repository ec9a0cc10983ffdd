"""state/sets.py."""

import asyncio
import contextlib

import pytest
from reward_gateway.errors import InvalidRequest, NotFound
from reward_gateway.state.commits import VersionTaken
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

pytestmark = pytest.mark.anyio


async def test_a_set_is_the_json_value_that_was_put(store: StateStore) -> None:
    value = {"mean": [0.1, -2.5], "cov": [[1.0, 0.0], [0.0, 1.0]], "n": 3, "note": None}
    await store.sets.put("exemplars", "v1", value)
    assert await store.sets.read("exemplars", "v1") == value


async def test_kinds_keep_equal_names_apart(store: StateStore) -> None:
    await store.sets.put("references", "v1", [1.0])
    await store.sets.put("centroids", "v1", [[2.0]])
    assert await store.sets.read("references", "v1") == [1.0]


async def test_a_set_that_was_never_put_is_not_found(store: StateStore) -> None:
    with pytest.raises(NotFound, match="references/v1"):
        await store.sets.read("references", "v1")


async def add(store: StateStore, name: str, value: object) -> int:
    """Store the next version, whichever that is by then."""
    while True:
        version = await store.sets.count_versions("programs", name) + 1
        with contextlib.suppress(VersionTaken):
            await store.commit(StateWrites().add_set_version("programs", name, version, value))
            return version


async def test_versions_of_a_name_are_counted_each_once_however_many_add_at_a_time(store: StateStore) -> None:
    versions = await asyncio.gather(*(add(store, "p", i) for i in range(10)))
    assert sorted(versions) == list(range(1, 11))
    assert [await store.sets.read("programs", f"p@{n}") for n in versions] == list(range(10))
    assert await add(store, "q", "first") == 1
    assert await add(store, "p", "newest") == 11
    assert await store.sets.read("programs", "p") == "newest"


async def test_a_reader_cannot_change_the_set(store: StateStore) -> None:
    await store.sets.put("references", "v1", [1.0])
    (await store.sets.read("references", "v1")).append(2.0)
    assert await store.sets.read("references", "v1") == [1.0]


@pytest.mark.parametrize("value", [float("inf"), {1, 2}])
async def test_what_json_cannot_hold_is_refused(store: StateStore, value: object) -> None:
    with pytest.raises(InvalidRequest):
        await store.sets.put("references", "v1", value)
