"""Which runs of a tenant have state, page by page."""

import numpy as np
import pytest
from reward_gateway.errors import InvalidRequest
from reward_gateway.state import runs
from reward_gateway.state.namespace import Namespace
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

from tests.valkey import Valkey

pytestmark = pytest.mark.anyio


async def list_all(store: StateStore, tenant: str, limit: int = 100) -> dict[str, set[str]]:
    """The runs of all pages."""
    found: dict[str, set[str]] = {}
    cursor = None
    while True:
        page = await store.within(Namespace(tenant, "any")).runs.list_page(cursor, limit)
        for run, kinds in page.runs.items():
            found.setdefault(run, set()).update(kinds)
        cursor = page.cursor
        if cursor is None:
            return found


async def fill(store: StateStore) -> None:
    """Three runs of alice, one of bob, one of a tenant whose name begins like alice's, and what is no run's."""
    await store.commit(StateWrites(Namespace("alice", "b")).merge_moments("m", 1.0, 0.5, 0.0))
    await store.commit(StateWrites(Namespace("alice", "b")).append_to_archive("run/x/moments:index", np.ones((1, 2))))
    await store.commit(StateWrites(Namespace("alice", "a:1")).queue_messages("l", ["message"]))
    await store.commit(StateWrites(Namespace("alice")).merge_moments("m:index", 1.0, 0.5, 0.0))
    await store.commit(StateWrites(Namespace("alice", "shares")).merge_moments("tenant/run/m", 1.0, 0.5, 0.0))
    await store.commit(StateWrites(Namespace("alice", "uploads")).add_references("r", {"p": [0.5]}))
    await store.commit(StateWrites(Namespace("bob", "c")).merge_moments("m", 1.0, 0.5, 0.0))
    await store.commit(StateWrites(Namespace("alice-2", "d")).merge_moments("m", 1.0, 0.5, 0.0))


async def test_a_tenant_has_the_runs_for_which_something_was_written(store: StateStore) -> None:
    await fill(store)
    assert await list_all(store, "alice") == {"": {"moments"}, "a:1": {"queues"}, "b": {"archives", "moments"}}
    assert await list_all(store, "bob") == {"c": {"moments"}}
    assert await list_all(store, "nobody") == {}


async def test_a_run_that_was_reset_is_no_longer_listed(store: StateStore) -> None:
    await fill(store)
    for run in ("b", "a:1"):
        await store.within(Namespace("alice", run)).reset_run()
    assert await list_all(store, "alice") == {"": {"moments"}}


async def test_every_run_is_on_a_page_however_small_the_pages_are(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "KEYS_AT_ONCE", 3)
    monkeypatch.setattr(runs, "STEPS", 2)
    names = {f"run-{i}" for i in range(40)}
    for name in names:
        await store.commit(StateWrites(Namespace("alice", name)).merge_moments("m", 1.0, 0.5, 0.0))
    assert set(await list_all(store, "alice", limit=7)) == names
    page = await store.within(Namespace("alice")).runs.list_page(None, 7)
    assert page.cursor is not None
    assert len(page.runs) <= 7 + 2 * 3
    assert list(page.runs) == sorted(page.runs)


@pytest.mark.parametrize(
    "cursor", ["", "0", "5", "key:", "key:-1", "key:x", f"key:{1 << 64}", "key:١", "x:1", "key:" + "9" * 5000]
)
async def test_a_cursor_that_no_page_ended_with_is_refused(store: StateStore, cursor: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await store.runs.list_page(cursor, 1)
    assert refused.value.param == "cursor"


async def test_a_page_takes_so_many_commands_in_a_large_store(
    valkey_process: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "KEYS_AT_ONCE", 10)
    monkeypatch.setattr(runs, "STEPS", 5)
    with valkey_process.client() as client:
        client.flushdb()
        client.mset({f"other:{i}": 1 for i in range(2000)})
        store = StateStore.connect(valkey_process.url)
        page = await store.runs.list_page(None, 1)
        assert (page.runs, page.cursor is None) == ({}, False)
        await store.close()
        client.flushdb()
