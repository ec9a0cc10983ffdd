"""How many gateway processes share a store: those that announced themselves lately."""

from pathlib import Path

import pytest
from redis.exceptions import RedisError
from reward_gateway.traffic import worker_census
from reward_gateway.traffic.worker_census import WorkerCensus

from tests.clock import Clock, turns, until
from tests.valkey import Valkey

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine is too slow for the time limit."""
    monkeypatch.setattr(worker_census, "TIMEOUT_S", 60.0)


async def test_processes_are_counted_when_they_come_and_when_they_leave(valkey: Valkey) -> None:
    one, other = WorkerCensus(valkey.url, assumed=8), WorkerCensus(valkey.url, assumed=8)
    assert one.count == 8, "as many as the settings say, until the server was asked"
    other.start()
    await until(lambda: other.count == 1)
    await one.announce()
    assert one.count == 2
    await one.announce()
    assert one.count == 2, "once each"
    await other.close()
    await one.announce()
    assert one.count == 1
    await one.close()


async def test_a_process_that_fell_silent_is_forgotten(valkey: Valkey) -> None:
    silent, alive = WorkerCensus(valkey.url, assumed=1), WorkerCensus(valkey.url, assumed=1, lifetime_s=0.0)
    await silent.announce()
    await alive.announce()
    assert alive.count == 1
    await silent.close()
    await alive.close()


@pytest.mark.stack
async def test_the_last_count_stays_while_the_server_is_away(tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    server.start()
    one, other = WorkerCensus(server.url, assumed=8), WorkerCensus(server.url, assumed=8)
    await other.announce()
    await one.announce()
    server.kill()
    with pytest.raises((RedisError, OSError)):
        await one.announce()
    assert one.count == 2
    await one.close()
    await other.close()


async def test_a_process_announces_itself_every_five_seconds(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    announced: list[float] = []
    began = clock.now()

    async def announce(self: WorkerCensus) -> None:
        announced.append(clock.now() - began)
        if len(announced) == 2:
            raise RedisError("away for a moment")

    monkeypatch.setattr(WorkerCensus, "announce", announce)
    census = WorkerCensus("redis://127.0.0.1:1", assumed=1)
    census.start()
    census.start()
    await turns()
    assert len(announced) == 1
    for count in (2, 3, 4):
        await clock.advance(5.0)
        assert len(announced) == count
    await census.close()
