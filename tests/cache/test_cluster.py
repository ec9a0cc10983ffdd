"""cache/cluster.py, on a real cluster: two nodes, each with half of the slots."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.cache.cluster import ClusterStore
from reward_gateway.cache.connection import StoreFailed
from reward_gateway.redis_servers.address import parse_address

from tests.clock import until
from tests.ports import free_port
from tests.valkey import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.stack]

KEYS = [b"key-%d" % number for number in range(200)]
HALF = 8192
TTL_MS = 60_000


@pytest.fixture
async def nodes(tmp_path: Path, anyio_backend: str) -> AsyncIterator[list[Valkey]]:
    servers = []
    for name in ("a", "b"):
        (folder := tmp_path / name).mkdir()
        server = Valkey(folder)
        server.start("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
        servers.append(server)
    try:
        await join(servers)
        yield servers
    finally:
        for server in servers:
            server.kill()


async def join(servers: list[Valkey]) -> None:
    client: Any  # whose commands of a cluster have no types
    first, second = servers
    with first.client() as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, HALF - 1)
    with second.client() as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", HALF, 16383)
        port = client.execute_command("CONFIG", "GET", "cluster-port")
    with first.client() as client:
        client.execute_command("CLUSTER MEET", "127.0.0.1", second.port, int(next(iter(port.values()))))
    for server in servers:
        with server.client() as client:
            await until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")


@pytest.fixture
async def store(nodes: list[Valkey]) -> AsyncIterator[ClusterStore]:
    store = ClusterStore(parse_address(f"redis+cluster://127.0.0.1:{nodes[0].port}"), 30.0, 4)
    yield store
    await store.close()


def count_keys(server: Valkey) -> int:
    client: Any
    with server.client() as client:
        return int(client.dbsize())


async def test_values_are_spread_over_the_nodes_and_read_back_in_order(
    store: ClusterStore, nodes: list[Valkey]
) -> None:
    assert await store.get_many(KEYS) == [None] * len(KEYS)
    assert await store.set_many([(key, key.upper()) for key in KEYS], TTL_MS, 30.0) == len(KEYS)
    assert await store.get_many(KEYS[::-1]) == [key.upper() for key in KEYS[::-1]]
    assert min(map(count_keys, nodes)) > 0


async def test_slots_that_move_cost_one_miss(store: ClusterStore, nodes: list[Valkey]) -> None:
    await store.set_many([(key, b"old") for key in KEYS], TTL_MS, 30.0)
    client: Any
    with nodes[1].client() as client:
        owner = client.execute_command("CLUSTER MYID")
        client.flushall()
    with nodes[0].client() as client:
        client.flushall()
    for server in nodes:
        with server.client() as client:
            for slot in range(HALF):
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", owner)
    await store.set_many([(key, b"new") for key in KEYS], TTL_MS, 30.0)
    await store.set_many([(key, b"new") for key in KEYS], TTL_MS, 30.0)
    assert await store.get_many(KEYS) == [b"new"] * len(KEYS)
    assert count_keys(nodes[0]) == 0


async def test_a_node_that_is_away_costs_its_own_values_only(store: ClusterStore, nodes: list[Valkey]) -> None:
    await store.set_many([(key, b"kept") for key in KEYS], TTL_MS, 30.0)
    client: Any
    with nodes[0].client() as client:
        client.execute_command("CONFIG", "SET", "cluster-require-full-coverage", "no")
    nodes[1].kill()
    values = await store.get_many(KEYS)
    assert set(values) == {b"kept", None}


async def test_without_any_node_the_call_has_failed(store: ClusterStore, nodes: list[Valkey]) -> None:
    for server in nodes:
        server.kill()
    with pytest.raises(StoreFailed) as failed:
        await store.get_many(KEYS)
    assert failed.value.unreachable
