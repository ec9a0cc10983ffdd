"""state/labels.py."""

import asyncio

import pytest
from reward_gateway.state.labels import LocalLabels, RedisLabels
from reward_gateway.state.store import StateStore

pytestmark = pytest.mark.anyio


async def test_unknown_messages_wait_once_each_until_they_are_labelled(store: StateStore) -> None:
    labels = store.labels
    assert await labels.look_up("nethack", ["kill", "eat", "kill"]) == [None, None, None]
    assert await labels.look_up("nethack", ["eat", "walk"]) == [None, None]
    assert await labels.pending("nethack") == ["kill", "eat", "walk"]
    await labels.put("nethack", {"eat": 1.0, "kill": 0.0})
    assert await labels.look_up("nethack", ["kill", "eat", "walk"]) == [0.0, 1.0, None]
    assert await labels.pending("nethack") == ["walk"]


async def test_a_look_up_that_does_not_enqueue_leaves_no_trace(store: StateStore) -> None:
    assert await store.labels.look_up("t", ["a"], enqueue=False) == [None]
    assert await store.labels.pending("t") == []
    assert await store.labels.names() == {}


async def test_tables_do_not_touch_each_other(store: StateStore) -> None:
    await store.labels.put("a", {"m": 1.0})
    assert await store.labels.look_up("b", ["m"], enqueue=False) == [None]


async def test_any_text_is_a_message(store: StateStore) -> None:
    texts = ["", "\ud800 lone surrogate", "line\nbreak", "解" * 1000]
    await store.labels.look_up("t", texts)
    assert await store.labels.pending("t") == texts
    await store.labels.put("t", dict.fromkeys(texts, 0.5))
    assert await store.labels.look_up("t", texts) == [0.5] * 4


async def test_the_oldest_are_annotated_first(store: StateStore) -> None:
    await store.labels.look_up("t", [f"m{i}" for i in range(20)])
    assert await store.labels.pending("t", limit=3) == ["m0", "m1", "m2"]


async def test_concurrent_look_ups_queue_a_message_once(store: StateStore) -> None:
    await asyncio.gather(*(store.labels.look_up("t", ["same"]) for _ in range(20)))
    assert await store.labels.pending("t") == ["same"]


async def test_a_full_queue_takes_no_more(store: StateStore) -> None:
    if isinstance(store.labels, RedisLabels):
        small: RedisLabels | LocalLabels = RedisLabels(store.labels._client, queue_cap=2)
    else:
        small = LocalLabels(queue_cap=2)
    assert await small.look_up("t", ["a", "b", "c"]) == [None, None, None]
    assert await small.pending("t") == ["a", "b"]
    await small.put("t", {"a": 1.0})
    await small.look_up("t", ["c"])
    assert await small.pending("t") == ["b", "c"]
