"""Going away: no new work at once, the old work finishes, and what does not is told so."""

import asyncio

import pytest
from reward_gateway.errors import Draining
from reward_gateway.traffic.drain import Drain

from tests.clock import Clock, turns

pytestmark = pytest.mark.anyio


async def answer(drain: Drain, go_on: asyncio.Event) -> str:
    """A request that waits for a model."""
    with drain.work():
        await go_on.wait()
        return "answered"


async def test_new_work_is_refused_from_the_moment_draining_begins() -> None:
    drain = Drain()
    drain.check_accepting()
    drain.begin()
    assert drain.draining
    with pytest.raises(Draining) as refused:
        drain.check_accepting()
    assert refused.value.status == 503
    assert refused.value.retry_after_s


async def test_work_under_way_finishes() -> None:
    drain, go_on = Drain(), asyncio.Event()
    work = asyncio.create_task(answer(drain, go_on))
    await turns()
    finishing = asyncio.create_task(drain.finish(3600))
    await turns()
    assert drain.in_progress == 1
    assert not finishing.done()
    go_on.set()
    assert await finishing is True
    assert await work == "answered"


async def test_work_that_is_left_when_time_runs_out_fails_as_draining(clock: Clock) -> None:
    drain = Drain()
    work = asyncio.create_task(answer(drain, asyncio.Event()))
    await turns()
    finishing = asyncio.create_task(drain.finish(60))
    await clock.advance(61)
    assert await finishing is False
    with pytest.raises(Draining):
        await work


async def test_cutting_off_ends_the_wait() -> None:
    drain = Drain()
    work = asyncio.create_task(answer(drain, asyncio.Event()))
    await turns()
    finishing = asyncio.create_task(drain.finish(3600))
    await turns()
    drain.cut_off()
    assert await finishing is False
    with pytest.raises(Draining):
        await work


async def test_a_request_that_its_client_gave_up_is_not_taken_for_one_that_was_cut_off() -> None:
    drain = Drain()
    work = asyncio.create_task(answer(drain, asyncio.Event()))
    await turns()
    drain.begin()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert drain.in_progress == 0


async def test_work_that_does_not_end_is_not_waited_for(clock: Clock) -> None:
    drain, held = Drain(), asyncio.Event()

    async def stubborn() -> None:
        with drain.work():
            while not held.is_set():
                try:
                    await held.wait()
                except asyncio.CancelledError:
                    continue

    work = asyncio.create_task(stubborn())
    await turns()
    finishing = asyncio.create_task(drain.finish(60))
    await clock.advance_until(finishing.done)
    assert await finishing is False
    held.set()
    await work


async def test_an_idle_gateway_is_drained_at_once() -> None:
    assert await Drain().finish(3600) is True


async def test_who_waits_for_the_begin_is_told() -> None:
    drain = Drain()
    waiting = asyncio.create_task(drain.wait_begun())
    await turns()
    assert not waiting.done()
    drain.begin()
    await waiting


async def test_a_wait_gives_what_comes_of_it_and_ends_once_draining_begins() -> None:
    drain = Drain()
    assert await drain.unless_begun(asyncio.sleep(0, "come")) == "come"
    waiting = asyncio.create_task(drain.unless_begun(asyncio.Event().wait()))
    await turns()
    drain.begin()
    with pytest.raises(Draining):
        await waiting
    with pytest.raises(Draining):
        await drain.unless_begun(asyncio.Event().wait())
