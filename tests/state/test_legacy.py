"""State of a version without namespaces: read until first written in a namespace, moved when the operator says so."""

from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
import redis
from reward_gateway.state.labels import digest_message
from reward_gateway.state.namespace import Namespace
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

from tests.valkey import Valkey

pytestmark = pytest.mark.anyio

A, B, OTHER = Namespace("alice", "a"), Namespace("alice", "b"), Namespace("bob", "a")
EVERY = (A, B, OTHER, Namespace())


@pytest.fixture
def earlier(valkey_process: Valkey) -> Iterator[redis.Redis]:
    """A store as the last version without namespaces left it, with one name of each kind."""
    with valkey_process.client() as client:
        client.flushdb()

        def set_version(kind: str, *names: str) -> None:
            for name in names:
                version = client.incr(f"reward_gateway:{{state}}:{kind}:clock")
                client.hset(f"reward_gateway:{{state}}:{kind}:index", name, version)

        client.hset("reward_gateway:{state}:moments:data:m", mapping={"count": "2", "mean": "5", "m2": "1"})
        client.rpush("reward_gateway:{state}:archives:data:a", np.array([1.0, 2.0]).tobytes())
        client.hset("reward_gateway:{state}:references:data:r", "p", np.array([0.5]).tobytes())
        client.hset("reward_gateway:{state}:labels:data:l", digest_message("labelled"), "1.0")
        entry = client.xadd("reward_gateway:{state}:labels:queue:l", {"message": "waiting"})
        client.hset("reward_gateway:{state}:labels:queued:l", digest_message("waiting"), entry)
        for name in ("programs/s", "programs/s@1"):
            client.set(f"reward_gateway:{{state}}:sets:data:{name}", '{"x":1}')
        client.set("reward_gateway:{state}:sets:count:programs/s", 1)
        set_version("moments", "m")
        set_version("archives", "a")
        set_version("references", "r")
        set_version("labels", "l")
        set_version("sets", "programs/s@1", "programs/s")
        yield client


@pytest.fixture
async def state(earlier: redis.Redis, valkey_process: Valkey) -> AsyncIterator[StateStore]:
    """The store of one gateway over it."""
    store = StateStore.connect(valkey_process.url, timeout_s=60.0)
    yield store
    await store.close()


async def contents(store: StateStore, space: Namespace) -> list[object]:
    own = store.within(space)
    return [
        await own.moments.read("m"),
        (await own.archives.read("a")).tolist(),
        [None if found is None else found.tolist() for found in await own.references.read("r", ["p", "q"])],
        await own.labels.look_up("l", ["labelled", "waiting"]),
        await own.labels.list_pending("l"),
        await own.sets.count_versions("programs", "s"),
    ]


AS_LEFT = [(2.0, 5.0, 1.0), [[1.0, 2.0]], [[0.5], None], [1.0, None], ["waiting"], 1]
GONE = [(0.0, 0.0, 0.0), [], [None, None], [None, None], [], 0]


async def test_every_namespace_reads_it_and_lists_it_as_what_it_is(state: StateStore) -> None:
    for space in EVERY:
        assert await contents(state, space) == AS_LEFT
        assert await state.within(space).sets.read("programs", "s@1") == {"x": 1}
        listed = await state.within(space).list_names()
        assert {row["owner"] for row in listed} == {"legacy"}
        assert [row["name"] for row in listed] == ["m", "r", "a", "l", "programs/s", "programs/s@1"]
        assert (await state.within(space).export_value("moments", "m"))["value"]["mean"] == 5.0


async def test_the_first_write_of_a_namespace_goes_on_from_it_and_leaves_it_to_the_others(
    state: StateStore, valkey_process: Valkey
) -> None:
    writes = (
        StateWrites(A)
        .merge_moments("m", 2.0, 5.0, 1.0)
        .append_to_archive("a", np.array([[3.0, 4.0]]))
        .add_references("r", {"q": [0.25]})
        .queue_messages("l", ["waiting", "new"])
        .add_set_version("programs", "s", 2, {"x": 2})
    )
    await state.commit(writes)
    uploaded = [[[0.5], [0.25]], [1.0, None]]
    other_process = StateStore.connect(valkey_process.url, timeout_s=60.0)
    for store in (state, other_process):
        assert await contents(store, A) == [
            (4.0, 5.0, 2.0), [[1.0, 2.0], [3.0, 4.0]], *uploaded, ["waiting", "new"], 2
        ]  # fmt: skip
        assert await contents(store, B) == [(2.0, 5.0, 1.0), [[1.0, 2.0]], *uploaded, [], 2]
        assert await contents(store, OTHER) == AS_LEFT
        assert await store.within(A).sets.read("programs", "s@1") == {"x": 1}
        assert await store.within(A).sets.read("programs", "s") == {"x": 2}
    await other_process.close()


async def test_labels_are_added_to_those_that_were_there(state: StateStore) -> None:
    await state.within(A).labels.put("l", {"waiting": 0.0})
    assert await state.within(B).labels.look_up("l", ["labelled", "waiting"]) == [1.0, 0.0]
    assert await state.within(A).labels.list_pending("l") == []
    assert await state.within(OTHER).labels.look_up("l", ["labelled", "waiting"]) == [1.0, None]


@pytest.mark.parametrize("written_first", [False, True])
async def test_what_a_namespace_resets_does_not_come_back(
    state: StateStore, valkey_process: Valkey, written_first: bool
) -> None:
    if written_first:
        await state.commit(StateWrites(A).merge_moments("m", 1.0, 0.0, 0.0))
    await state.within(A).reset("moments", "m")
    other_process = StateStore.connect(valkey_process.url, timeout_s=60.0)
    for store in (state, other_process):
        assert await store.within(A).moments.read("m") == (0.0, 0.0, 0.0)
        assert "m" not in {row["name"] for row in await store.within(A).list_names("moments")}
        assert (await store.within(B).moments.read("m"))[0] == 2.0
    await other_process.commit(StateWrites(A).merge_moments("m", 1.0, 7.0, 0.0))
    assert await state.within(A).moments.read("m") == (1.0, 7.0, 0.0)
    await other_process.close()


async def test_what_a_namespace_replaces_stays_for_the_others(state: StateStore) -> None:
    await state.within(A).restore_value("moments", "m", {"count": 1.0, "mean": 0.0, "m2": 0.0})
    await state.within(A).sets.put("programs", "s", {"x": 9})
    assert (await state.within(A).moments.read("m"))[0] == 1.0
    assert await state.within(A).sets.count_versions("programs", "s") == 1  # the next program is number two
    assert (await contents(state, OTHER)) == AS_LEFT


async def test_moving_it_gives_it_to_one_namespace(state: StateStore, earlier: redis.Redis) -> None:
    moved = await state.within(A).move_legacy(discard=False)
    assert {(row["kind"], row["name"], row["moved"]) for row in moved} == {
        ("moments", "m", True),
        ("references", "r", True),
        ("archives", "a", True),
        ("labels", "l", True),
        ("sets", "programs/s", True),
        ("sets", "programs/s@1", True),
    }
    assert await contents(state, A) == AS_LEFT
    assert await contents(state, OTHER) == GONE
    assert {key.split(b":")[-1] for key in earlier.scan_iter("reward_gateway:{state}:*")} == {b"clock", b"epoch"}
    assert await state.within(B).move_legacy(discard=False) == []


@pytest.mark.parametrize("discard", [False, True])
async def test_moving_leaves_or_discards_what_the_namespace_has_written(state: StateStore, discard: bool) -> None:
    await state.commit(StateWrites(A).merge_moments("m", 1.0, 5.0, 0.0))
    moved = {(row["kind"], row["name"]): row["moved"] for row in await state.within(A).move_legacy(discard=discard)}
    assert (moved["moments", "m"], moved["archives", "a"]) == (False, True)
    assert (await state.within(A).moments.read("m"))[0] == 3.0
    assert (await state.within(B).moments.read("m"))[0] == (0.0 if discard else 2.0)


async def test_a_store_of_one_process_has_nothing_to_move() -> None:
    assert await StateStore.in_process().move_legacy(discard=True) == []
