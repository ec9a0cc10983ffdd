"""state/labels.py."""

import asyncio

import pytest
from reward_gateway.state.labels import QUEUE_CAP
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

pytestmark = pytest.mark.anyio


async def queue(store: StateStore, table: str, messages: list[str]) -> None:
    await store.commit(StateWrites().queue_messages(table, messages))


async def test_unknown_messages_wait_once_each_until_they_are_labelled(store: StateStore) -> None:
    labels = store.labels
    await queue(store, "nethack", ["kill", "eat", "kill"])
    await queue(store, "nethack", ["eat", "walk"])
    assert await labels.look_up("nethack", ["kill", "eat", "kill"]) == [None, None, None]
    assert await labels.list_pending("nethack") == ["kill", "eat", "walk"]
    await labels.put("nethack", {"eat": 1.0, "kill": 0.0})
    await queue(store, "nethack", ["kill", "walk"])
    assert await labels.look_up("nethack", ["kill", "eat", "walk"]) == [0.0, 1.0, None]
    assert await labels.list_pending("nethack") == ["walk"]


async def test_a_look_up_leaves_no_trace(store: StateStore) -> None:
    assert await store.labels.look_up("t", ["a"]) == [None]
    assert await store.labels.list_pending("t") == []
    assert await store.labels.list_versions() == {}


async def test_tables_do_not_touch_each_other(store: StateStore) -> None:
    await store.labels.put("a", {"m": 1.0})
    assert await store.labels.look_up("b", ["m"]) == [None]


async def test_any_text_is_a_message(store: StateStore) -> None:
    texts = ["", "\ud800 lone surrogate", "line\nbreak", "解" * 1000]
    await queue(store, "t", texts)
    assert await store.labels.list_pending("t") == texts
    await store.labels.put("t", dict.fromkeys(texts, 0.5))
    assert await store.labels.look_up("t", texts) == [0.5] * 4


async def test_the_oldest_are_annotated_first(store: StateStore) -> None:
    await queue(store, "t", [f"m{i}" for i in range(20)])
    assert await store.labels.list_pending("t", limit=3) == ["m0", "m1", "m2"]


async def test_concurrent_requests_queue_a_message_once(store: StateStore) -> None:
    await asyncio.gather(*(queue(store, "t", ["same"]) for _ in range(20)))
    assert await store.labels.list_pending("t") == ["same"]


async def test_a_full_queue_takes_no_more(store: StateStore) -> None:
    messages = [f"m{i}" for i in range(QUEUE_CAP + 1)]
    await queue(store, "t", messages)
    assert await store.labels.list_pending("t", QUEUE_CAP + 9) == messages[:-1]
    await store.labels.put("t", {"m0": 1.0})
    await queue(store, "t", messages[-1:])
    assert await store.labels.list_pending("t", QUEUE_CAP + 9) == messages[1:]


async def test_a_hundred_are_listed_where_nobody_says_how_many(store: StateStore) -> None:
    messages = [f"m{i}" for i in range(102)]
    await queue(store, "t", messages)
    assert await store.labels.list_pending("t") == messages[:100]
