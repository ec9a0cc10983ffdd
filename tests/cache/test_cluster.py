"""cache/cluster.py, on a real cluster: two nodes, each with half of the slots."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from reward_gateway.cache.cluster import ClusterStore
from reward_gateway.cache.connection import StoreFailed
from reward_gateway.redis_servers.address import parse_address

from tests.valkey import Valkey
from tests.valkey_sets import HALF, ask, give_slots, start_cluster

pytestmark = [pytest.mark.anyio, pytest.mark.stack]

KEYS = [b"key-%d" % number for number in range(200)]
TTL_MS = 60_000


@pytest.fixture
async def nodes(tmp_path: Path, anyio_backend: str) -> AsyncIterator[list[Valkey]]:
    async with start_cluster(tmp_path) as nodes:
        yield nodes


@pytest.fixture
async def store(nodes: list[Valkey]) -> AsyncIterator[ClusterStore]:
    store = ClusterStore(parse_address(f"redis+cluster://127.0.0.1:{nodes[0].port}"), 30.0, 4)
    yield store
    await store.close()


def count_keys(server: Valkey) -> int:
    return int(ask(server, "DBSIZE"))


async def test_values_are_spread_over_the_nodes_and_read_back_in_order(
    store: ClusterStore, nodes: list[Valkey]
) -> None:
    assert await store.get_many(KEYS) == [None] * len(KEYS)
    assert await store.set_many([(key, key.upper()) for key in KEYS], TTL_MS, 30.0) == len(KEYS)
    assert await store.get_many(KEYS[::-1]) == [key.upper() for key in KEYS[::-1]]
    assert min(map(count_keys, nodes)) > 0


async def test_slots_that_move_cost_one_miss(store: ClusterStore, nodes: list[Valkey]) -> None:
    await store.set_many([(key, b"old") for key in KEYS], TTL_MS, 30.0)
    await give_slots(nodes, range(HALF), nodes[1])
    await store.set_many([(key, b"new") for key in KEYS], TTL_MS, 30.0)
    await store.set_many([(key, b"new") for key in KEYS], TTL_MS, 30.0)
    assert await store.get_many(KEYS) == [b"new"] * len(KEYS)
    assert count_keys(nodes[0]) == 0


async def test_a_node_that_is_away_costs_its_own_values_only(store: ClusterStore, nodes: list[Valkey]) -> None:
    await store.set_many([(key, b"kept") for key in KEYS], TTL_MS, 30.0)
    ask(nodes[0], "CONFIG", "SET", "cluster-require-full-coverage", "no")
    nodes[1].kill()
    values = await store.get_many(KEYS)
    assert set(values) == {b"kept", None}


async def test_without_any_node_the_call_has_failed(store: ClusterStore, nodes: list[Valkey]) -> None:
    for server in nodes:
        server.kill()
    with pytest.raises(StoreFailed) as failed:
        await store.get_many(KEYS)
    assert failed.value.unreachable
