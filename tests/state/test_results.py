"""Answers wait under a token for who asks later, and are forgotten in time."""

import asyncio

import pytest
from reward_gateway.state import results
from reward_gateway.state.store import StateStore

from tests.clock import Clock

pytestmark = pytest.mark.anyio


async def test_what_was_put_is_read_as_often_as_one_likes(store: StateStore) -> None:
    await store.results.put("token", {"reward": 0.5}, 60.0)
    assert await store.results.read("token") == {"reward": 0.5}
    assert await store.results.read("token") == {"reward": 0.5}
    await store.results.put("token", [1], 60.0)
    assert await store.results.read("token") == [1]


async def test_an_unknown_token_and_one_whose_time_is_over_have_nothing(store: StateStore) -> None:
    assert await store.results.read("nobody") is None
    await store.results.put("short", 1, 0.01)
    await asyncio.sleep(0.05)
    assert await store.results.read("short") is None


async def test_answers_are_no_named_state(store: StateStore) -> None:
    await store.results.put("token", 1, 60.0)
    assert await store.list_names() == []


async def test_this_process_keeps_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST", 3)
    kept = StateStore.in_process().results
    for i in range(5):
        await kept.put(str(i), i, 60.0)
    assert [await kept.read(str(i)) for i in range(5)] == [None, None, 2, 3, 4]


async def test_this_process_drops_what_has_expired_before_what_has_not(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(results, "MOST", 2)
    kept = StateStore.in_process().results
    await kept.put("long", 1, 3600.0)
    await kept.put("short", 2, 600.0)
    await clock.advance(601)
    await kept.put("new", 3, 600.0)
    assert [await kept.read(token) for token in ("long", "short", "new")] == [1, None, 3]


async def test_an_answer_that_is_put_again_is_as_new_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST", 2)
    kept = StateStore.in_process().results
    for token in ("a", "b", "a", "c"):
        await kept.put(token, token, 60.0)
    assert [await kept.read(token) for token in "abc"] == ["a", None, "c"]
