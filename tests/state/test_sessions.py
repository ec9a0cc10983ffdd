"""Sessions live while they are used, and a tenant has a bounded number of them."""

import asyncio

import pytest
from reward_gateway.state.namespace import Namespace
from reward_gateway.state.store import StateStore

pytestmark = pytest.mark.anyio

LONG_S = 3600.0


async def test_a_session_is_opened_once_and_read_until_it_is_closed(store: StateStore) -> None:
    assert await store.sessions.open("a", {"task": 1}, LONG_S, 10) == "opened"
    assert await store.sessions.open("a", {"task": 2}, LONG_S, 10) == "exists"
    assert await store.sessions.read("a") == {"task": 1}
    assert await store.sessions.replace("a", {"task": 3}, LONG_S)
    assert await store.sessions.touch("a", LONG_S)
    assert await store.sessions.read("a") == {"task": 3}
    assert await store.sessions.close("a")
    assert await store.sessions.read("a") is None
    assert not await store.sessions.close("a")


async def test_what_is_over_is_neither_replaced_nor_touched(store: StateStore) -> None:
    assert not await store.sessions.replace("a", {}, LONG_S)
    assert not await store.sessions.touch("a", LONG_S)
    assert await store.sessions.read("a") is None


async def test_a_session_that_nobody_uses_is_over(store: StateStore) -> None:
    await store.sessions.open("short", {}, 0.01, 1)
    await asyncio.sleep(0.05)
    assert await store.sessions.read("short") is None
    assert not await store.sessions.touch("short", LONG_S)
    assert await store.sessions.open("next", {}, LONG_S, 1) == "opened", "it no longer counts"


async def test_a_session_that_is_used_lives_on(store: StateStore) -> None:
    await store.sessions.open("a", {}, 0.05, 10)
    await store.sessions.touch("a", LONG_S)
    await store.sessions.open("b", {}, 0.05, 10)
    await store.sessions.replace("b", {"used": True}, LONG_S)
    await asyncio.sleep(0.1)
    assert await store.sessions.read("a") == {}
    assert await store.sessions.read("b") == {"used": True}
    assert await store.sessions.open("c", {}, LONG_S, 2) == "full", "both still count"


async def test_a_tenant_has_so_many_and_no_more(store: StateStore) -> None:
    alice, bob = (store.within(Namespace(name)).sessions for name in ("alice", "bob"))
    assert [await alice.open(name, {}, LONG_S, 2) for name in ("a", "b", "c")] == ["opened", "opened", "full"]
    assert await bob.open("a", {"bob": True}, LONG_S, 2) == "opened", "another tenant has its own"
    assert await alice.read("a") == {}
    await alice.close("a")
    assert await alice.open("c", {}, LONG_S, 2) == "opened"
    assert await store.within(Namespace("alice", "run")).sessions.read("c") == {}, "runs share their tenant's"


async def test_sessions_are_no_named_state(store: StateStore) -> None:
    await store.sessions.open("a", {}, LONG_S, 10)
    assert await store.list_names() == []
