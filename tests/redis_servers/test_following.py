"""Clients follow their keys: to the master that Sentinels name, and to the node of a Cluster that has their slot."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from limits import parse
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as Unreached
from reward_gateway.cache.breaker import Breaker
from reward_gateway.errors import StateUnavailable
from reward_gateway.redis_servers.address import Access, RedisAddress, parse_address
from reward_gateway.redis_servers.clients import connect
from reward_gateway.state.cohorts import RedisCohorts
from reward_gateway.state.namespace import Namespace
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites
from reward_gateway.traffic.rate_limiter import SharedWindows

from tests.ports import free_port
from tests.valkey import Valkey
from tests.valkey_sets import HALF, Sentinel, ask, give_slots, start_cluster, start_pair

pytestmark = [pytest.mark.anyio, pytest.mark.stack]

SPACE = Namespace("alice", "run-1")
OPENED = Access(sentinel_password="watch")


@pytest.fixture
async def pair(tmp_path: Path, anyio_backend: str) -> AsyncIterator[tuple[Valkey, Valkey]]:
    async with start_pair(tmp_path) as pair:
        yield pair


@pytest.fixture
async def sentinel(pair: tuple[Valkey, Valkey], tmp_path: Path) -> AsyncIterator[Sentinel]:
    sentinel = Sentinel(tmp_path, pair[0])
    yield sentinel
    sentinel.kill()


@pytest.fixture
async def nodes(tmp_path: Path, anyio_backend: str) -> AsyncIterator[list[Valkey]]:
    async with start_cluster(tmp_path) as nodes:
        yield nodes


def cluster_of(*nodes: Valkey) -> RedisAddress:
    return parse_address("redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes))


async def test_state_goes_on_at_the_new_master(sentinel: Sentinel, pair: tuple[Valkey, Valkey]) -> None:
    store = StateStore.connect(parse_address(sentinel.url).opened_by(OPENED), timeout_s=60.0)
    await store.commit(StateWrites(SPACE).merge_moments("m", 1.0, 5.0, 0.0))
    await sentinel.fail_over()
    committed = False
    while not committed:  # the old master may not know yet that it is one no more
        with contextlib.suppress(StateUnavailable):
            await store.commit(StateWrites(SPACE).merge_moments("m", 1.0, 5.0, 0.0))
            committed = True
    assert (await store.within(SPACE).moments.read("m"))[0] == 2.0
    assert ask(pair[1], "ROLE")[0] == b"master"
    await store.close()


async def test_a_master_that_no_sentinel_knows_is_named(sentinel: Sentinel) -> None:
    other = parse_address(sentinel.url.replace("/main", "/other")).opened_by(OPENED)
    client = connect(other, "state", retry=Retry(NoBackoff(), 0))
    with pytest.raises(Unreached, match="the Sentinels know no master 'other'"):
        await client.ping()
    await client.aclose()


async def test_a_sentinel_that_is_away_is_passed_over(sentinel: Sentinel) -> None:
    url = sentinel.url.replace("://", f"://127.0.0.1:{free_port()},")
    client = connect(parse_address(url).opened_by(OPENED), "state")
    assert await client.ping()
    await client.aclose()


async def test_state_cohorts_and_rates_work_on_a_cluster(nodes: list[Valkey]) -> None:
    store = StateStore.connect(cluster_of(nodes[0]), timeout_s=60.0)
    await store.commit(StateWrites(SPACE).merge_moments("m", 1.0, 5.0, 0.0).queue_messages("l", ["hello"]))
    assert (await store.within(SPACE).moments.read("m"))[0] == 1.0
    await store.close()

    members = [RedisCohorts(cluster_of(node), timeout_s=60.0) for node in nodes]
    assert len((await members[0].join("prompt", [1.0], 1, 60.0, "member", SPACE)).members) == 1
    for each in members:
        await each.close()

    windows = [SharedWindows(cluster_of(node), Breaker(2, lambda: 0.0), 60.0) for node in nodes]
    rate = parse("2/day")
    waits = [await windows[number % 2].wait_s(rate, "key") for number in range(3)]
    assert (waits[:2], bool(waits[2])) == ([0.0, 0.0], True)
    for each_window in windows:
        await each_window.close()


async def test_a_client_follows_its_slot_to_another_node(nodes: list[Valkey]) -> None:
    tag = "state"
    slot = key_slot(tag.encode())
    before, after = (nodes[0], nodes[1]) if slot < HALF else (nodes[1], nodes[0])
    client = connect(cluster_of(before), tag, retry=Retry(NoBackoff(), 1))
    await client.set("{state}:a", "1")
    await give_slots(nodes, range(slot, slot + 1), after)
    await client.set("{state}:a", "2")
    assert ask(after, "GET", "{state}:a") == b"2"
    await client.aclose()


async def test_nodes_that_were_not_named_are_asked_too(nodes: list[Valkey]) -> None:
    slot = key_slot(b"state")
    owner, other = (nodes[0], nodes[1]) if slot < HALF else (nodes[1], nodes[0])
    client = connect(cluster_of(other), "state", retry=Retry(NoBackoff(), 1))
    await client.set("{state}:a", "1")
    ask(owner, "CONFIG", "SET", "cluster-require-full-coverage", "no")
    other.kill()
    await client.connection_pool.disconnect()
    assert await client.get("{state}:a") == b"1"
    await client.aclose()


async def test_a_sentinel_that_hangs_is_asked_last_from_then_on(sentinel: Sentinel) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # accepts connections and answers nothing
        url = sentinel.url.replace("://", f"://127.0.0.1:{silent.getsockname()[1]},")
        client = connect(parse_address(url).opened_by(OPENED), "state", socket_connect_timeout=600.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.ping()
        assert await client.ping()
        await client.aclose()
