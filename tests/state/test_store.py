"""state/store.py: every kind of state is listed, exported, imported and reset in the same way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from redis.asyncio import Redis
from reward_gateway.errors import InvalidRequest, NotFound, StateUnavailable
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

from tests.clock import Clock
from tests.ports import free_port

pytestmark = pytest.mark.anyio

VALUES: dict[str, Any] = {
    "moments": {"count": 3.0, "mean": 0.1, "m2": 2.5},
    "references": {"p1": [0.1, -2.0], "p2": [1.0]},
    "archives": [[0.0, 0.1], [1.0, 2.0]],
    "labels": {"0123456789abcdef0123456789abcdef": 1.0},
    "sets": {"mean": [0.5]},
}
INFINITE = float("inf")
UNFIT: dict[str, list[Any]] = {
    "moments": [
        {"count": -1.0, "mean": 0.0, "m2": 0.0},
        {"count": 1e308, "mean": 0.0, "m2": 0.0},
        {"count": 2.0**53 + 2, "mean": 0.0, "m2": 0.0},
        {"count": 2.5, "mean": 0.0, "m2": 0.0},
        {"count": True, "mean": 0.0, "m2": 0.0},
        {"count": 10**400, "mean": 0.0, "m2": 0.0},
        {"count": 3.0, "mean": 1e308, "m2": 0.0},
        {"count": 3.0, "mean": INFINITE, "m2": 0.0},
        {"count": 3.0, "mean": 0.0, "m2": -1.0},
        {"count": 3.0, "mean": 0.0, "m2": 1e308},
        {"count": 0.0, "mean": 0.0, "m2": 1.0},
        {"count": 1.0, "mean": 0.0, "m2": 1.0},
        {"count": 3.0, "mean": 0.0},
        {"count": 3.0, "mean": 0.0, "m2": 0.0, "more": 0.0},
        [3.0, 0.1, 2.5],
        None,
    ],
    "references": [{"p1": ["high"]}, {"p1": 1.0}, {"p1": [INFINITE]}, {"p1": [10**400]}, {"p1": [[1.0]]}, [1.0], None],
    "archives": [[[0.0], [1.0, 2.0]], [[INFINITE]], [[]], [0.5], [["a"]], [[[0.5]]], [[10**400]], {"a": 1}, "a", None],
    "labels": [{"0123456789abcdef0123456789abcdef": None}, {"a message": 1.0}, {"": 1.0}, [1.0], None],
    "sets": [float("nan"), {"a": [INFINITE]}, {1: [set()]}],
}
kinds = pytest.mark.parametrize("kind", list(VALUES))


@kinds
async def test_what_is_exported_can_be_imported_elsewhere(store: StateStore, kind: str) -> None:
    await store.restore_value(kind, "original", VALUES[kind])
    exported = await store.export_value(kind, "original")
    assert exported["value"] == VALUES[kind]
    twin = StateStore.in_process()
    await twin.restore_value(kind, "copy", exported["value"])
    assert (await twin.export_value(kind, "copy"))["value"] == VALUES[kind]


@kinds
async def test_an_import_replaces_what_was_there(store: StateStore, kind: str) -> None:
    await store.restore_value(kind, "name", VALUES[kind])
    await store.restore_value(kind, "name", VALUES[kind])
    assert (await store.export_value(kind, "name"))["value"] == VALUES[kind]


@kinds
async def test_versions_grow_with_each_change_and_across_a_reset(store: StateStore, kind: str) -> None:
    seen = []
    for _ in range(2):
        await store.restore_value(kind, "name", VALUES[kind])
        seen.append((await store.list_names(kind))[0]["version"])
    await store.reset(kind, "name")
    assert await store.list_names(kind) == []
    await store.restore_value(kind, "name", VALUES[kind])
    seen.append((await store.list_names(kind))[0]["version"])
    assert seen == sorted(set(seen))


@kinds
async def test_what_is_not_there_can_be_neither_exported_nor_reset(store: StateStore, kind: str) -> None:
    with pytest.raises(NotFound):
        await store.export_value(kind, "name")
    with pytest.raises(NotFound):
        await store.reset(kind, "name")


@kinds
async def test_an_unfit_import_is_refused_and_leaves_what_was_there(store: StateStore, kind: str) -> None:
    await store.restore_value(kind, "name", VALUES[kind])
    for value in UNFIT[kind]:
        with pytest.raises(InvalidRequest):
            await store.restore_value(kind, "name", value)
    assert (await store.export_value(kind, "name"))["value"] == VALUES[kind]


async def test_a_listing_has_every_kind(store: StateStore) -> None:
    for kind, value in VALUES.items():
        await store.restore_value(kind, "n", value)
    assert [(row["kind"], row["name"]) for row in await store.list_names()] == [(kind, "n") for kind in VALUES]


async def test_a_kind_that_does_not_exist_is_not_found(store: StateStore) -> None:
    with pytest.raises(NotFound, match="moments"):
        await store.list_names("moment")


async def test_a_reset_forgets_the_value_itself(store: StateStore) -> None:
    await store.commit(StateWrites().queue_messages("t", ["waiting"]))
    await store.reset("labels", "t")
    assert await store.labels.list_pending("t") == []
    await store.commit(StateWrites().append_to_archive("a", np.ones((1, 2))))
    await store.reset("archives", "a")
    await store.commit(StateWrites().append_to_archive("a", np.ones((1, 3))))
    assert (await store.archives.read("a")).shape == (1, 3)


async def test_without_its_redis_every_call_says_that_state_is_unavailable() -> None:
    store = StateStore.connect(f"redis://127.0.0.1:{free_port('127.0.0.1')}/0", timeout_s=0.5)
    calls = [
        store.moments.read("run"),
        store.commit(StateWrites().merge_moments("run", 1.0, 0.0, 0.0)),
        store.references.read("rm", ["p"]),
        store.archives.read("a"),
        store.labels.look_up("t", ["m"]),
        store.labels.list_pending("t"),
        store.sets.read("references", "v1"),
        store.sets.count_versions("programs", "p"),
        store.attempts.begin_attempt("a", "digest", "token", 1.0, 1.0),
        store.sets.put("references", "v1", [1.0]),
        store.list_names(),
        store.reset("moments", "run"),
    ]
    for call in calls:
        with pytest.raises(StateUnavailable):
            await call
    await store.close()


Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(respond: Respond) -> AsyncIterator[str]:
    """The address of a server that treats each connection so."""
    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_a_command_whose_answer_is_lost_is_not_sent_again() -> None:
    asked = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read(1)
        writer.close()

    async with listening(hang_up) as url:
        store = StateStore.connect(url, timeout_s=60.0)
        with pytest.raises(StateUnavailable):
            await store.moments.read("run")
        await store.close()
    assert asked == 1


async def test_every_kind_waits_for_a_server_that_never_answers_as_long_as_it_was_told(clock: Clock) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        writer.close()

    async with listening(say_nothing) as url, Redis.from_url(url, socket_timeout=None) as client:
        store = StateStore.on_redis(client, timeout_s=3600.0)
        calls = [
            asyncio.create_task(call)
            for call in (
                store.moments.read("run"),
                store.commit(StateWrites().merge_moments("run", 1.0, 0.0, 0.0)),
                store.references.read("rm", ["p"]),
                store.archives.read("a"),
                store.labels.look_up("t", ["m"]),
                store.sets.read("references", "v1"),
                store.attempts.begin_attempt("a", "digest", "token", 1.0, 1.0),
                store.results.read("token"),
            )
        ]
        await clock.advance(3500)
        assert not any(call.done() for call in calls)
        await clock.advance_until(lambda: all(call.done() for call in calls))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StateUnavailable] * len(calls)
