"""Changes of state that replicas have to confirm, with a real replica."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.errors import StateUnavailable
from reward_gateway.state.attempts import AttemptRecord
from reward_gateway.state.epoch import StoreEpoch
from reward_gateway.state.namespace import Namespace
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

from tests.valkey import Valkey
from tests.valkey_sets import ask, start_pair

pytestmark = [pytest.mark.anyio, pytest.mark.stack]

SPACE = Namespace("alice", "run-1")


@pytest.fixture
async def servers(tmp_path: Path, anyio_backend: str) -> AsyncIterator[tuple[Valkey, Valkey]]:
    """A server and its replica."""
    async with start_pair(tmp_path) as pair:
        yield pair


@pytest.fixture
async def store(servers: tuple[Valkey, Valkey]) -> AsyncIterator[StateStore]:
    store = StateStore.connect(servers[0].url, timeout_s=30.0, epoch=StoreEpoch(replicas=1))
    yield store
    await store.close()


def add_row() -> StateWrites:
    return StateWrites(SPACE).merge_moments("m", 1.0, 0.5, 0.0)


async def count_rows(url: str) -> float:
    store = StateStore.connect(url, timeout_s=30.0)
    try:
        return (await store.within(SPACE).moments.read("m"))[0]
    finally:
        await store.close()


async def test_a_change_is_on_the_replica_when_it_is_answered(
    store: StateStore, servers: tuple[Valkey, Valkey]
) -> None:
    for rows in (1, 2, 3):
        await store.commit(add_row())
        client: Any
        with servers[1].client() as client:
            keys = [key for key in client.keys("*m*") if client.type(key) == b"hash"]
            assert any(rows in map(float, filter(_is_number, client.hvals(key))) for key in keys)


def _is_number(text: bytes) -> bool:
    return text.replace(b".", b"").isdigit()


async def test_an_unconfirmed_change_is_refused_and_its_retry_does_not_count_twice(
    store: StateStore, servers: tuple[Valkey, Valkey]
) -> None:
    await store.attempts.begin_attempt("alice/key", "digest", "token", 60.0, 60.0)
    servers[1].kill()
    with pytest.raises(StateUnavailable, match="not confirmed by 1 replica"):
        await store.commit(add_row(), AttemptRecord("alice/key", "token", b"answer", True, 60.0))
    unconfirmed = StateStore.connect(servers[0].url, timeout_s=30.0)
    again = await unconfirmed.attempts.begin_attempt("alice/key", "digest", "other", 60.0, 60.0)
    assert again.outcome == "done"
    await unconfirmed.close()
    assert await count_rows(servers[0].url) == 1.0


async def test_a_replica_that_takes_over_without_unconfirmed_changes_has_lost_nothing(
    servers: tuple[Valkey, Valkey],
) -> None:
    primary, replica = servers
    epoch = StoreEpoch(replicas=1)
    before = StateStore.connect(primary.url, timeout_s=30.0, epoch=epoch)
    await before.commit(add_row())
    ask(replica, "REPLICAOF", "NO", "ONE")
    with pytest.raises(StateUnavailable, match="not confirmed"):
        await before.commit(add_row())
    assert (await before.within(SPACE).moments.read("m"))[0] == 2.0  # which tells how many writes that server counted
    assert not await before.is_lost()
    await before.close()

    after = StateStore.connect(replica.url, timeout_s=30.0, epoch=epoch)
    assert not await after.is_lost()
    assert (await after.within(SPACE).moments.read("m"))[0] == 1.0
    await after.close()
