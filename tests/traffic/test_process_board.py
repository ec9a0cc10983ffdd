"""Who is alive and what was refused: of one process without Redis, of all with it, bounded and without silent ones."""

import pytest
from redis.exceptions import RedisError
from reward_gateway.traffic import process_board
from reward_gateway.traffic.admission import Admission
from reward_gateway.traffic.drain import Drain
from reward_gateway.traffic.process_board import Health, ProcessBoard
from reward_gateway.traffic.refusals import MOST, Refusals

from tests.clock import until
from tests.valkey import Valkey

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine is too slow for the time limit."""
    monkeypatch.setattr(process_board, "TIMEOUT_S", 60.0)


def make_board(url: str | None, now: list[float] | None = None) -> ProcessBoard:
    clock = now or [1.0]
    return ProcessBoard(Admission(4, 4, 1.0), Drain(), Refusals(lambda: clock[0]), url)


async def test_without_redis_a_process_sees_itself_alone() -> None:
    board = make_board(None)
    board.start()
    board.refusals.note("overloaded", "http", "/v1/score", "trainer")
    board.refusals.note("draining", "grpc", "Score", "")
    (own,) = await board.read_processes()
    assert not board.shared
    assert (own.in_flight, own.queued, own.draining, own.health) == (0, 0, False, Health())
    assert [refusal.code for refusal in await board.read_refusals()] == ["draining", "overloaded"]
    await board.close()


async def test_processes_see_each_other_with_what_they_refused(valkey: Valkey) -> None:
    one, other = make_board(valkey.url), make_board(valkey.url, [2.0])

    async def look() -> Health:
        return Health(ready=False, missing=["mixed"], devices={"letters": "GPU 0"})

    other.look = look
    one.refusals.note("overloaded", "http", "/v1/score", "trainer")
    other.refusals.note("unauthenticated", "http", "/v1/score", "")
    one.start()
    other.start()
    await until(lambda: not one.refusals.waiting and not other.refusals.waiting)
    other.drain.begin()
    await other.tell()
    seen = await one.read_processes()
    assert sorted(process.draining for process in seen) == [False, True]
    (told,) = [process for process in seen if process.draining]
    assert told.health == await look()
    for board in (one, other):
        found = [(refusal.code, refusal.key) for refusal in await board.read_refusals()]
        assert found == [("unauthenticated", ""), ("overloaded", "trainer")]
    await other.close()
    assert [process.draining for process in await one.read_processes()] == [False]
    await one.close()


async def test_a_process_that_fell_silent_is_not_alive(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    silent, alive = make_board(valkey.url), make_board(valkey.url)
    await silent.tell()
    silent.drain.begin()
    monkeypatch.setattr(process_board, "LIFETIME_S", -1.0)
    assert await alive.read_processes() == []
    monkeypatch.setattr(process_board, "LIFETIME_S", 20.0)
    assert [process.draining for process in await alive.read_processes()] == [False]
    await silent.close()
    await alive.close()


async def test_refusals_are_bounded_and_wait_for_redis(valkey: Valkey) -> None:
    board, away = make_board(valkey.url), make_board("redis://127.0.0.1:1")
    for place in range(MOST + 50):
        for each in (board, away):
            each.refusals.note("overloaded", "http", f"/{place}", "k")
    await board.tell()
    board.refusals.note("late", "http", "/", "k")
    await board.tell()
    found = await board.read_refusals()
    assert len(found) == MOST
    assert {refusal.code for refusal in found} == {"late", "overloaded"}
    with pytest.raises((RedisError, OSError)):
        await away.tell()
    assert len(away.refusals.waiting) == MOST
    await board.close()
    await away.close()


async def test_what_cannot_be_looked_at_leaves_what_was_known() -> None:
    board = make_board(None)

    async def fail() -> Health:
        raise RuntimeError

    board.look = fail
    assert (await board.describe_own()).health == Health()
    await board.close()
