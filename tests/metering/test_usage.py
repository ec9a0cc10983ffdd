"""Usage per key and day, in one process and in a real Redis."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from reward_gateway.errors import StateUnavailable
from reward_gateway.metering.usage import Counts, LocalUsageStore, Owner, RedisUsageStore, UsageCounter, UsageStore

from tests.valkey import Valkey

pytestmark = pytest.mark.anyio

TODAY = date(2026, 5, 1)


def read_clock() -> datetime:
    return datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def server(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Valkey]:
    server = Valkey(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.stack)])
async def store(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str) -> AsyncIterator[UsageStore]:
    if request.param == "local":
        yield LocalUsageStore(10, read_clock)
        return
    server = Valkey(tmp_path)
    server.start()
    made = RedisUsageStore(server.url, 10)
    yield made
    await made.close()
    server.kill()


async def test_counts_add_up_by_key_and_day(store: UsageStore) -> None:
    usage = UsageCounter(store, 10, read_clock)
    for _ in range(3):
        usage.count("a", "team", Counts(1, 10, 2, 3, 4))
        usage.count("b", "team", Counts(1, 1))
        await usage.flush()
    assert await usage.read(TODAY, TODAY) == {
        Owner("2026-05-01", "a", "team"): Counts(3, 30, 6, 9, 12),
        Owner("2026-05-01", "b", "team"): Counts(3, 3),
    }
    assert await usage.read(date(2026, 4, 1), date(2026, 4, 30)) == {}


async def test_two_gateways_see_the_same(server: Valkey) -> None:
    pair = [UsageCounter(RedisUsageStore(server.url, 10), 10, read_clock) for _ in range(2)]
    for usage in pair:
        usage.count("a", "team", Counts(1, 5))
        await usage.flush()
    (table,) = {str(await usage.read(TODAY, TODAY)) for usage in pair}
    assert "samples=10" in table
    for usage in pair:
        await usage.close()


async def test_counts_wait_while_the_store_is_away(server: Valkey) -> None:
    usage = UsageCounter(RedisUsageStore(server.url, 10), 10, read_clock)
    server.kill()
    usage.count("a", "team", Counts(1, 5))
    with pytest.raises(StateUnavailable):
        await usage.flush()
    usage.count("a", "team", Counts(1, 6))
    server.start()
    assert await usage.read(TODAY, TODAY) == {Owner("2026-05-01", "a", "team"): Counts(2, 11)}
    await usage.close()
    server.kill()
    server.start()


async def test_old_days_are_forgotten() -> None:
    usage = UsageCounter(store := LocalUsageStore(10, read_clock), 10, read_clock)
    await store.add({Owner("2026-04-20", "a", "team"): Counts(1, 1), Owner("2026-04-25", "a", "team"): Counts(1, 2)})
    assert list(await usage.read(date(2026, 4, 1), TODAY)) == [Owner("2026-04-25", "a", "team")]
