"""Two runs, and two tenants, never meet in named state; what is uploaded is the tenant's; older state is read on."""

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from reward_gateway.state.namespace import Namespace
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

from tests.valkey import Valkey

pytestmark = pytest.mark.anyio

A, B, OTHER = Namespace("alice", "a"), Namespace("alice", "b"), Namespace("bob", "a")


def every_kind(space: Namespace) -> StateWrites:
    return (
        StateWrites(space)
        .merge_moments("m", 2.0, 2.0, 2.0)
        .append_to_archive("a", np.array([[1.0, 2.0]]))
        .queue_messages("l", ["message"])
        .add_references("r", {"p": [0.5]})
        .add_set_version("programs", "s", 1, {"x": 1})
    )


async def contents(store: StateStore, space: Namespace) -> dict[str, Any]:
    """What a namespace reads under the names of ``every_kind``."""
    own = store.within(space)
    return {
        "moments": (await own.moments.read("m"))[0],
        "archive": len(await own.archives.read("a")),
        "queue": await own.labels.list_pending("l"),
        "labels": await own.labels.look_up("l", ["labelled"]),
        "references": [None if found is None else found.tolist() for found in await own.references.read("r", ["p"])],
        "versions": await own.sets.count_versions("programs", "s"),
    }


EMPTY = {"moments": 0, "archive": 0, "queue": [], "labels": [None], "references": [None], "versions": 0}


async def test_what_scoring_writes_is_the_runs_and_what_is_uploaded_the_tenants(store: StateStore) -> None:
    await store.commit(every_kind(A))
    await store.within(A).labels.put("l", {"labelled": 1.0})
    uploaded = {"labels": [1.0], "references": [[0.5]], "versions": 1}
    assert await contents(store, A) == {"moments": 2, "archive": 1, "queue": ["message"], **uploaded}
    assert await contents(store, B) == {**EMPTY, **uploaded}
    assert await contents(store, OTHER) == EMPTY
    assert await contents(store, Namespace("alice")) == {**EMPTY, **uploaded}
    assert await contents(store, Namespace()) == EMPTY


async def test_a_listing_says_whose_a_name_is(store: StateStore) -> None:
    await store.commit(every_kind(A).merge_moments("tenant/m", 1.0, 0.0, 0.0))

    async def owners(space: Namespace) -> dict[tuple[str, str], str]:
        return {(row["kind"], row["name"]): row["owner"] for row in await store.within(space).list_names()}

    uploaded = {("references", "r"), ("labels", "l"), ("sets", "programs/s"), ("sets", "programs/s@1")}
    shared = dict.fromkeys([*uploaded, ("moments", "tenant/m")], "tenant")
    assert await owners(A) == {("moments", "m"): "run", ("archives", "a"): "run", **shared}
    assert await owners(B) == shared
    assert await owners(OTHER) == {}
    assert (await store.within(A).export_value("moments", "m"))["owner"] == "run"


async def test_runs_share_what_both_name_as_the_tenants(store: StateStore) -> None:
    for space in (A, B, OTHER):
        await store.commit(
            StateWrites(space).merge_moments("tenant/m", 1.0, 5.0, 0.0).queue_messages("tenant/l", ["x"])
        )
        await store.commit(StateWrites(space).append_to_archive("tenant/a", np.ones((1, 2))))
    for space, count in ((A, 2), (B, 2), (Namespace("alice"), 2), (OTHER, 1)):
        own = store.within(space)
        assert (await own.moments.read("tenant/m"))[0] == len(await own.archives.read("tenant/a")) == count
        assert await own.labels.list_pending("tenant/l") == ["x"]


async def test_a_label_takes_the_message_off_every_runs_queue(store: StateStore) -> None:
    for space in (A, B, OTHER):
        await store.commit(StateWrites(space).queue_messages("l", ["labelled", "waiting"]))
    await store.within(A).labels.put("l", {"labelled": 1.0})
    pending = [await store.within(space).labels.list_pending("l") for space in (A, B, OTHER)]
    assert pending == [["waiting"], ["waiting"], ["labelled", "waiting"]]


async def test_a_reset_is_that_of_one_namespace(store: StateStore) -> None:
    for space in (A, B):
        await store.commit(StateWrites(space).merge_moments("m", 1.0, 0.0, 0.0).append_to_archive("a", np.ones((1, 2))))
    await store.within(A).reset("moments", "m")
    await store.within(A).reset("archives", "a")
    assert (await contents(store, A), (await contents(store, B))["moments"]) == (EMPTY, 1)


async def test_an_answer_is_fetched_by_its_tenant_whatever_the_run(store: StateStore) -> None:
    await store.results.within(A).put("token", [1.0], 60)
    read = [await store.results.within(space).read("token") for space in (A, B, OTHER)]
    assert read == [[1.0], [1.0], None]


spaces = st.builds(
    Namespace, st.sampled_from(["alice", "bob", "anonymous"]), st.sampled_from(["", "a", "a:moments:data:"])
)
names = st.sampled_from(["n", "m:n", "tenant/n", "run/a/n"])
steps = st.lists(
    st.tuples(st.integers(0, 1), spaces, names, st.sampled_from(["moments", "archives", "sets"])), max_size=20
)


@given(steps)
@settings(max_examples=40, deadline=None)
def test_over_two_gateways_each_namespace_counts_its_own(
    valkey_process: Valkey, steps: list[tuple[int, Namespace, str, str]]
) -> None:
    """Steps: gateway, namespace, name and kind of a write. What each namespace reads then is its own writes."""

    def owner(space: Namespace, name: str, kind: str) -> tuple[str, str, str, str]:
        shared = kind == "sets" or name.startswith("tenant/")
        return space.tenant, "all runs" if shared else f"run {space.run}", name, kind

    async def play() -> None:
        async with Redis.from_url(valkey_process.url, socket_timeout=60.0) as client:
            await client.flushdb()
        gateways = [StateStore.connect(valkey_process.url, timeout_s=60.0) for _ in range(2)]
        expected: dict[tuple[str, str, str, str], int] = {}
        for i, (place, space, name, kind) in enumerate(steps):
            writes = StateWrites(space)
            match kind:
                case "moments":
                    writes.merge_moments(name, 1.0, 0.0, 0.0)
                case "archives":
                    writes.append_to_archive(name, [[float(i)]])
                case _:
                    version = await gateways[place].sets.within(space).count_versions("k", name) + 1
                    writes.add_set_version("k", name, version, i)
            await gateways[place].commit(writes)
            expected[owner(space, name, kind)] = expected.get(owner(space, name, kind), 0) + 1
        for _, space, name, _ in steps:
            for gateway in gateways:
                own = gateway.within(space)
                assert (await own.moments.read(name))[0] == expected.get(owner(space, name, "moments"), 0)
                assert len(await own.archives.read(name)) == expected.get(owner(space, name, "archives"), 0)
                assert await own.sets.count_versions("k", name) == expected.get(owner(space, name, "sets"), 0)
        for gateway in gateways:
            await gateway.close()

    asyncio.run(play())


async def test_a_run_that_has_ended_is_deleted_and_nothing_else(store: StateStore) -> None:
    for space in (A, B, OTHER):
        await store.commit(every_kind(space).merge_moments("tenant/m", 1.0, 0.0, 0.0) if space != B else StateWrites(B))
        await store.commit(StateWrites(space).queue_messages("l", ["message"]))
    before = [await contents(store, space) for space in (B, OTHER)]
    deleted = await store.within(A).reset_run()
    assert {(row["kind"], row["name"]) for row in deleted} == {("moments", "m"), ("archives", "a"), ("queues", "l")}
    own = await contents(store, A)
    assert (own["moments"], own["archive"], own["queue"], own["references"], own["versions"]) == (0, 0, [], [[0.5]], 1)
    assert (await store.within(A).moments.read("tenant/m"))[0] == 1
    assert [await contents(store, space) for space in (B, OTHER)] == before
    assert await store.within(A).reset_run() == []
