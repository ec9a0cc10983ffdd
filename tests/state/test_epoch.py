"""A store that came back without its state is noticed by everybody, and nobody begins anew unasked."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_gateway.errors import NotFound, StateUnavailable
from reward_gateway.local.sockets import socket_folder
from reward_gateway.local.valkey import state_store
from reward_gateway.settings import Settings
from reward_gateway.state.cohorts import RedisCohorts
from reward_gateway.state.epoch import LOST, MARKER, StoreEpoch, allow_restart
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

from tests.clock import LONGEST_WAIT_S, until
from tests.delays import delaying_proxy
from tests.valkey import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.stack]


class Gateways:
    """Processes on one store, each with what it remembers."""

    def __init__(self, valkey: Valkey, folder: Path) -> None:
        self.valkey, self.folder = valkey, folder
        self._open = AsyncExitStack()

    def start(self, memory: str | None = None, url: str = "") -> StateStore:
        """A process that has just been started; ``memory`` outlives it."""
        return self.connect(StoreEpoch(self.folder / memory if memory else None), url=url)

    def connect(self, epoch: StoreEpoch, timeout_s: float = 60.0, url: str = "") -> StateStore:
        """A store with what a process remembers."""
        store = StateStore.connect(url or self.valkey.url, timeout_s, epoch)
        self._open.push_async_callback(store.close)
        return store

    def lose_state(self) -> None:
        with self.valkey.client() as client:
            client.flushall()

    def read_all(self) -> dict[bytes, bytes]:
        """Everything that is stored."""
        with self.valkey.client() as client:
            stored: Any = {key: client.dump(key) for key in client.scan_iter()}
        return dict(stored)

    async def close(self) -> None:
        await self._open.aclose()


@pytest.fixture
async def gateways(valkey_process: Valkey, tmp_path: Path) -> AsyncIterator[Gateways]:
    found = Gateways(valkey_process, tmp_path)
    found.lose_state()
    yield found
    await found.close()


async def count_one(store: StateStore) -> None:
    await store.commit(StateWrites().merge_moments("stream", 1.0, 0.5, 0.0))


async def count_of(store: StateStore) -> float:
    return (await store.moments.read("stream"))[0]


async def refused(call: Any) -> None:
    with pytest.raises(StateUnavailable, match="accept-reset") as failure:
        await call
    assert (failure.value.retry_after_s or 0) > 1


async def test_a_new_store_is_used_at_once_and_by_everybody(gateways: Gateways) -> None:
    first, second = gateways.start(), gateways.start()
    await count_one(first)
    await count_one(second)
    assert await count_of(first) == await count_of(second) == 2
    assert not await first.is_lost()
    assert not await first.accept_reset()


async def test_every_operation_refuses_a_store_that_lost_its_state(gateways: Gateways) -> None:
    epoch = StoreEpoch()
    store, cohorts = gateways.connect(epoch), RedisCohorts(gateways.valkey.url, timeout_s=60.0, epoch=epoch)
    await count_one(store)
    gateways.lose_state()
    for call in (
        store.moments.read("stream"),
        count_one(store),
        store.references.read("model", ["group"]),
        store.archives.read("archive"),
        store.sets.read("kind", "name"),
        store.sets.count_versions("kind", "name"),
        store.labels.look_up("table", ["message"]),
        store.labels.list_pending("table"),
        store.labels.put("table", {"message": 1.0}),
        store.results.read("token"),
        store.results.put("token", 1, 60.0),
        store.attempts.begin_attempt("tenant/a", "digest", "token", 1.0, 1.0),
        store.attempts.remember_body("tenant/a", "digest", 1.0),
        store.commit(StateWrites().append_to_archive("archive", np.ones((1, 2)))),
        store.commit(StateWrites().queue_messages("table", ["message"])),
        store.commit(StateWrites().add_references("model", {"group": [1.0]})),
        store.commit(StateWrites().add_set_version("kind", "name", 1, {})),
        store.list_names(),
        store.export_value("moments", "stream"),
        store.restore_value("moments", "stream", {"count": 1, "mean": 1, "m2": 0}),
        store.reset("moments", "stream"),
        cohorts.join("prompt", [1.0], 2, 60.0),
    ):
        await refused(call)
    assert [*gateways.read_all()] == [MARKER.encode()], "nothing was written"
    await cohorts.close()


async def test_a_process_that_knew_nothing_hears_of_the_loss(gateways: Gateways) -> None:
    old = gateways.start()
    await count_one(old)
    gateways.lose_state()
    came_before = gateways.start()
    assert await count_of(came_before) == 0, "to it, the store is a new one"
    await refused(count_of(old))
    await refused(count_of(came_before))
    await refused(count_of(gateways.start()))


async def test_an_accepted_loss_lets_everybody_begin_anew(gateways: Gateways) -> None:
    first, second = gateways.start(), gateways.start()
    await count_one(first)
    await count_one(second)
    gateways.lose_state()
    came_before = gateways.start()
    await count_one(came_before)
    await refused(count_of(first))
    assert await first.is_lost()
    assert await first.accept_reset()
    assert [await count_of(store) for store in (first, second, came_before)] == [1, 1, 1]
    assert not await first.is_lost()
    gateways.lose_state()
    for store in (first, second, came_before):
        await refused(count_one(store))


async def test_a_store_that_is_back_with_its_state_needs_nobody(gateways: Gateways, tmp_path: Path) -> None:
    full, empty = Valkey(tmp_path / "full"), Valkey(tmp_path / "empty")
    for server in (full, empty):
        server.folder.mkdir()
        server.start("--appendonly", "no")
    try:
        async with delaying_proxy(full.port) as proxy:
            store = gateways.start(url=proxy.url)
            await count_one(store)
            await proxy.switch_to(empty.port)  # an empty replica takes over
            await until_answered(store, "lost")
            await refused(count_one(store))
            await proxy.switch_to(full.port)
            await until_answered(store, "kept")
            assert await count_of(store) == 1
    finally:
        full.kill()
        empty.kill()


async def test_a_replica_that_lagged_behind_has_lost_the_last_of_it(gateways: Gateways, tmp_path: Path) -> None:
    primary, replica = Valkey(tmp_path / "primary"), Valkey(tmp_path / "replica")
    for server in (primary, replica):
        server.folder.mkdir()
        options = ("--masteruser", "tests", "--masterauth", "any", "--repl-diskless-sync-delay", "0")
        server.start("--appendonly", "no", *options)
    try:
        async with delaying_proxy(primary.port) as proxy:
            store, reader = gateways.start(url=proxy.url), gateways.start(url=proxy.url)
            await count_one(store)
            with replica.client() as admin, primary.client() as asked:
                admin.replicaof("127.0.0.1", str(primary.port))
                await until(lambda: admin.exists(MARKER) == 1)
                admin.replicaof("NO", "ONE")
                assert asked.dbsize() == admin.dbsize()
            assert await count_of(reader) == 1
            await count_one(store)  # one write more than the replica has, which nobody has read since
            await proxy.switch_to(replica.port)
            await until_answered(store, "lost")
            await refused(count_one(store))
            await until_answered(reader, "lost")
            await refused(count_of(reader))
            await proxy.switch_to(primary.port)
            await until_answered(store, "kept")
            await until_answered(reader, "kept")
            assert await count_of(store) == 2

            await proxy.switch_to(replica.port)
            await until_answered(store, "lost")
            assert await store.accept_reset()
            await until_answered(reader, "kept")
            assert [await count_of(process) for process in (store, reader)] == [1, 1], "what the replica has"
            await count_one(reader)
            assert not await store.is_lost()
    finally:
        primary.kill()
        replica.kill()


@pytest.mark.parametrize("memory", [None, "state-epoch"])
async def test_an_older_snapshot_has_lost_the_last_of_it(
    gateways: Gateways, tmp_path: Path, memory: str | None
) -> None:
    server = Valkey(tmp_path)
    server.start("--appendonly", "no")
    try:
        store = gateways.start(memory, url=server.url)
        await count_one(store)
        with server.client() as admin:
            admin.save()
        await count_one(store)
        assert not await store.is_lost()  # what is remembered is written down
        server.kill()
        server.start("--appendonly", "no")
        store = gateways.start(memory, url=server.url) if memory else store
        await until_answered(store, "lost")
        await refused(count_of(store))
        assert await store.accept_reset()
        assert await count_of(store) == 1
    finally:
        server.kill()


async def test_many_processes_at_work_miss_no_write(gateways: Gateways) -> None:
    stores = [gateways.start() for _ in range(4)]
    for _ in range(10):
        await asyncio.gather(*(call(store) for store in stores * 4 for call in (count_one, count_of)))
    assert not any([await store.is_lost() for store in stores])
    assert {await count_of(store) for store in stores} == {160}


async def test_a_store_that_is_full_answers_what_changes_nothing(gateways: Gateways) -> None:
    store = gateways.start()
    await store.attempts.remember_body("tenant/a", "digest", 60.0)
    with gateways.valkey.client() as admin:
        admin.config_set("maxmemory", "1")
        try:
            with pytest.raises(StateUnavailable, match="full"):
                await count_one(store)
            assert await store.attempts.remember_body("tenant/a", "other", 60.0) == "other"
        finally:
            admin.config_set("maxmemory", "0")
    assert not await store.is_lost()


async def until_answered(store: StateStore, expected: str) -> None:
    """Wait over the connections that a switch broke. Raises TimeoutError if the store never answers so."""
    async with asyncio.timeout(LONGEST_WAIT_S):
        while True:
            with contextlib.suppress(StateUnavailable):
                if await store.is_lost() == (expected == "lost"):
                    return
            await asyncio.sleep(0.01)


async def test_what_is_remembered_outlives_the_process(gateways: Gateways) -> None:
    await count_one(gateways.start("state-epoch"))
    assert await count_of(gateways.start("state-epoch")) == 1
    gateways.lose_state()
    await refused(count_of(gateways.start("state-epoch")))
    accepting = gateways.start("state-epoch")
    assert await accepting.accept_reset()
    assert await count_of(gateways.start("state-epoch")) == 0


async def test_a_request_that_may_goes_on_and_knows_it(gateways: Gateways) -> None:
    store = gateways.start()
    with allow_restart() as restart:
        await count_one(store)
    assert not restart.happened
    gateways.lose_state()
    with allow_restart() as restart:
        assert await count_of(store) == 0
        await count_one(store)
        assert await count_of(store) == 1
    assert restart.happened
    await refused(count_of(store))
    assert await store.accept_reset()
    assert await count_of(store) == 1, "what was counted since stays"


async def test_what_was_written_survives_kill_9(gateways: Gateways, tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    server.start("--appendonly", "yes")
    store = gateways.start(url=server.url)
    for _ in range(50):
        await count_one(store)
    server.kill()
    server.start("--appendonly", "yes")
    try:
        counted = None
        while counted is None:
            try:
                counted = await count_of(store)
            except StateUnavailable as error:  # it loads its file
                if error.message == LOST:
                    raise
        assert counted == 50
    finally:
        server.kill()


async def test_a_write_that_a_frozen_store_takes_later_changes_nothing(gateways: Gateways) -> None:
    epoch = StoreEpoch()
    patient, hasty = gateways.connect(epoch), gateways.connect(epoch, timeout_s=0.3)
    cohorts = RedisCohorts(gateways.valkey.url, timeout_s=0.3, epoch=epoch)
    turns = count(1)

    def write(store: StateStore) -> list[Awaitable[object]]:
        """One write of every kind, each time under another name."""
        name = f"name {next(turns)}"
        return [
            store.commit(StateWrites().merge_moments("stream", 1.0, 0.5, 0.0)),
            store.restore_value("moments", name, {"count": 9, "mean": 1, "m2": 0}),
            store.reset("moments", "kept"),
            store.labels.put(name, {"message": 1.0}),
            store.results.put(name, 1, 60.0),
            store.attempts.begin_attempt(f"tenant/{name}", "digest", "token", 60.0, 60.0),
            store.attempts.remember_body(f"tenant/{name}", "digest", 60.0),
        ]

    await patient.restore_value("moments", "kept", {"count": 1, "mean": 1, "m2": 0})
    for step in write(patient):  # so that the store knows every script, and no name has to be asked for first
        with contextlib.suppress(NotFound):
            await step
    await patient.restore_value("moments", "kept", {"count": 1, "mean": 1, "m2": 0})
    connected = 0
    while connected < 16:  # so that every write is sent at once
        reads = await asyncio.gather(*(hasty.moments.read("stream") for _ in range(16)), return_exceptions=True)
        connected = sum(isinstance(read, tuple) for read in reads)
    with contextlib.suppress(StateUnavailable):
        await cohorts.join("prompt", [1.0], 1, 60.0)
    await patient.moments.read("stream")  # reads the clock
    before = gateways.read_all()
    gateways.valkey.freeze()
    try:
        late = [*write(hasty), cohorts.join("prompt", [1.0], 2, 60.0)]
        failures = await asyncio.gather(*late, return_exceptions=True)
    finally:
        gateways.valkey.thaw()
    assert [type(failure) for failure in failures] == [StateUnavailable] * len(late)
    assert gateways.read_all() == before
    await cohorts.close()


async def test_a_file_of_the_store_that_was_cut_is_noticed_at_its_next_start(tmp_path: Path) -> None:
    """The server that `serve` starts loads what is left of its file: it holds the marker, and too few writes."""
    epoch, memory = StoreEpoch(), tmp_path / "memory"

    @contextlib.asynccontextmanager
    async def opened(*epochs: StoreEpoch) -> AsyncIterator[list[StateStore]]:
        with socket_folder() as sockets:
            child, url = state_store(Settings(), tmp_path, sockets)
            await child.start()
            stores = [StateStore.connect(url, 60.0, each) for each in epochs]
            try:
                yield stores
            finally:
                for store in stores:
                    await store.close()
                await child.stop()

    async with opened(epoch, StoreEpoch(memory)) as (running, remembering):
        for _ in range(100):
            await count_one(running)
        assert not await remembering.is_lost()
    async with opened(epoch, StoreEpoch(memory)) as whole:
        assert [await count_of(store) for store in whole] == [100, 100]

    (file,) = (tmp_path / "state" / "appendonlydir").glob("*.incr.aof")
    os.truncate(file, int(file.stat().st_size * 0.6))
    async with opened(epoch, StoreEpoch(memory), StoreEpoch()) as (running, afresh, knowing_nothing):
        for store in (running, afresh, knowing_nothing):
            await refused(count_of(store))
            await refused(count_one(store))
        assert await running.accept_reset()
        assert 0 < await count_of(running) == await count_of(afresh) < 100
