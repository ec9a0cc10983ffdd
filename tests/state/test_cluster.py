"""Every script of state keeps to one slot: a server of a Redis Cluster refuses scripts whose keys lie in several."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_gateway.state.attempts import AttemptRecord
from reward_gateway.state.cohorts import RedisCohorts
from reward_gateway.state.namespace import Namespace
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

from tests.clock import until
from tests.ports import free_port
from tests.valkey import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.stack]

SPACE = Namespace("alice", "run-1")


@pytest.fixture
async def cluster(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Valkey]:
    """A cluster of one server that holds every slot."""
    server = Valkey(tmp_path)
    server.start("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    try:
        client: Any  # whose commands of a cluster have no types
        with server.client() as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
            await until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
        yield server
    finally:
        server.kill()


@pytest.fixture
async def store(cluster: Valkey) -> AsyncIterator[StateStore]:
    store = StateStore.connect(cluster.url, timeout_s=60.0)
    yield store
    await store.close()


async def test_a_request_commits_state_of_every_kind_and_its_answer(store: StateStore) -> None:
    await store.attempts.begin_attempt("alice/key", "digest", "token", 60.0, 60.0)
    writes = StateWrites(SPACE).merge_moments("m", 1.0, 0.5, 0.0).append_to_archive("a", [[1.0, 2.0]])
    writes.queue_messages("l", ["hello"]).add_references("r", {"p": [1.0]}).add_set_version("programs", "s", 1, [1])
    writes.merge_moments("tenant/m", 1.0, 0.5, 0.0)
    await store.commit(writes, AttemptRecord("alice/key", "token", b"answer", True, 60.0))

    space = store.within(SPACE)
    await space.labels.put("l", {"hello": 1.0})
    assert await space.labels.list_pending("l") == []
    assert [(await space.moments.read(name))[0] for name in ("m", "tenant/m")] == [1.0, 1.0]
    assert (await store.attempts.begin_attempt("alice/key", "digest", "other", 60.0, 60.0)).outcome == "done"
    await space.results.put("token", "answer", 60.0)
    await space.restore_value("moments", "m", {"count": 2, "mean": 0.5, "m2": 0})
    assert {"kind": "moments", "name": "m"} in await space.reset_run()
    assert not await store.accept_reset()


async def test_a_namespace_takes_over_state_of_an_earlier_version(cluster: Valkey, store: StateStore) -> None:
    with cluster.client() as client:
        client.hset("reward_gateway:{state}:moments:index", "m", "1")
        client.hset("reward_gateway:{state}:moments:data:m", mapping={"count": "2", "mean": "5", "m2": "1"})
    await store.commit(StateWrites(SPACE).merge_moments("m", 1.0, 5.0, 0.0))
    assert (await store.within(SPACE).moments.read("m"))[0] == 3.0


async def test_members_of_a_cohort_meet(cluster: Valkey) -> None:
    cohorts = RedisCohorts(cluster.url, timeout_s=60.0)
    cohort = await cohorts.join("prompt", [1.0], 1, 60.0, "member", SPACE)
    await cohorts.close()
    np.testing.assert_array_equal(cohort.members, [[1.0]])
