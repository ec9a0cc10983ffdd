"""Named state as one request sees it: what was stored when it looked, and its own changes over it."""

import pytest
from reward_gateway.operations.effects import Moments
from reward_gateway.scoring.state_view import StateView
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(anyio_backend: str) -> StateStore:
    """A store in which ``run`` has seen 1 and 3, and an archive of the same name holds one vector."""
    store = StateStore.in_process()
    await store.commit(StateWrites().merge_moments("run", 2.0, 2.0, 2.0).append_to_archive("run", [[1.0, 2.0]]))
    return store


async def test_moments_are_those_that_were_stored_and_the_requests_own(store: StateStore) -> None:
    view = StateView()
    assert await view.merge_moments(store, "run", Moments(0.0, 0.0, 0.0)) == Moments(2.0, 2.0, 2.0)
    assert not view.writes
    merged = await view.merge_moments(store, "run", Moments(2.0, 4.0, 2.0))
    assert (merged.count, merged.mean, merged.m2) == (4.0, 3.0, 8.0)
    await store.commit(StateWrites().merge_moments("run", 5.0, 100.0, 0.0))
    again = await view.merge_moments(store, "run", Moments(0.0, 0.0, 0.0))
    assert again == merged, "what others write meanwhile is not seen"
    assert view.writes.moments == {"run": (2.0, 4.0, 2.0)}


async def test_an_archive_has_what_was_stored_and_then_the_requests_own(store: StateStore) -> None:
    view = StateView()
    stored = await view.read_archive(store, "run")
    assert stored.tolist() == [[1.0, 2.0]]
    stored[:] = 9.0
    view.writes.append_to_archive("run", [[3.0, 4.0]])
    await store.commit(StateWrites().append_to_archive("run", [[7.0, 8.0]]))
    assert (await view.read_archive(store, "run")).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    view.discard_writes()
    assert (await view.read_archive(store, "run")).tolist() == [[1.0, 2.0]]


async def test_an_archive_that_only_the_request_has_written(store: StateStore) -> None:
    view = StateView()
    assert (await view.read_archive(store, "new")).size == 0
    view.writes.append_to_archive("new", [[3.0]])
    own = await view.read_archive(store, "new")
    own[:] = 9.0
    assert (await view.read_archive(store, "new")).tolist() == [[3.0]]


@pytest.mark.parametrize(("enqueue", "queued"), [(True, ["a", "c"]), (False, [])])
async def test_messages_without_a_label_are_queued_where_that_is_asked(
    store: StateStore, enqueue: bool, queued: list[str]
) -> None:
    await store.labels.put("t", {"b": 0.5})
    view = StateView()
    assert await view.look_up_labels(store, "t", ["a", "b", "c", "a"], enqueue=enqueue) == [None, 0.5, None, None]
    assert await store.labels.list_pending("t") == [], "nothing is written before the end"
    await store.commit(view.writes)
    assert await store.labels.list_pending("t") == queued
