"""The gate: bounded work, a bounded line, a quick no, and never a place lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from reward_gateway.errors import DeadlineExceeded, Overloaded
from reward_gateway.observer import Observer
from reward_gateway.traffic.admission import Admission

from tests.clock import Clock, turns

pytestmark = pytest.mark.anyio


class Counts(Observer):
    def __init__(self) -> None:
        self.rejected: list[str] = []
        self.last = (0, 0)

    def admission_changed(self, in_flight: int, queued: int) -> None:
        self.last = (in_flight, queued)

    def admission_rejected(self, reason: str) -> None:
        self.rejected.append(reason)


@asynccontextmanager
async def occupied(admission: Admission, places: int) -> AsyncIterator[asyncio.Event]:
    """The gate with places taken until the event is set."""
    leave = asyncio.Event()

    async def work() -> None:
        async with admission.enter():
            await leave.wait()

    tasks = [asyncio.create_task(work()) for _ in range(places)]
    await asyncio.sleep(0)
    try:
        yield leave
    finally:
        leave.set()
        await asyncio.gather(*tasks)


async def test_the_limit_itself_passes_and_one_more_waits() -> None:
    admission = Admission(2, 5, 1.0)
    async with occupied(admission, 2):
        assert (admission.in_flight, admission.queued) == (2, 0)
        third = asyncio.create_task(admission.acquire())
        await asyncio.sleep(0)
        assert (admission.in_flight, admission.queued) == (2, 1)
    await third
    assert (admission.in_flight, admission.queued) == (1, 0)
    admission.release()
    assert (admission.in_flight, admission.queued) == (0, 0)


async def test_a_full_queue_refuses_at_once_and_says_when_to_retry() -> None:
    counts = Counts()
    admission = Admission(1, 1, 5.0, counts)
    async with occupied(admission, 1):
        waiting = asyncio.create_task(admission.acquire())
        await asyncio.sleep(0)
        newcomer = asyncio.create_task(admission.acquire())
        await turns()
        assert newcomer.done()  # it did not wait
        with pytest.raises(Overloaded) as refused:
            await newcomer
        assert refused.value.retry_after_s
        assert counts.rejected == ["queue_full"]
    await waiting
    admission.release()
    assert counts.last == (0, 0)


async def test_no_queue_at_all_means_no_waiting() -> None:
    admission = Admission(1, 0, 5.0)
    async with occupied(admission, 1):
        with pytest.raises(Overloaded):
            await admission.acquire()
    assert admission.in_flight == 0


async def test_a_queue_timeout_rejects_and_leaves_the_line(clock: Clock) -> None:
    counts = Counts()
    admission = Admission(1, 5, 3600.0, counts)
    async with occupied(admission, 1):
        waiting = asyncio.create_task(admission.acquire())
        await clock.advance(3500)
        assert not waiting.done()
        await clock.advance(101)
        with pytest.raises(Overloaded):
            await waiting
        assert (admission.in_flight, admission.queued) == (1, 0)
    assert counts.rejected == ["queue_timeout"]
    assert counts.last == (0, 0)


async def test_a_deadline_that_passes_in_the_line_is_a_deadline_exceeded(clock: Clock) -> None:
    counts = Counts()
    admission = Admission(1, 5, 7200.0, counts)
    async with occupied(admission, 1):
        waiting = asyncio.create_task(admission.acquire(clock.now() + 3600))
        await turns()
        await clock.advance(3601)
        with pytest.raises(DeadlineExceeded):
            await waiting
    assert counts.rejected == ["deadline"]
    assert admission.queued == 0


async def test_places_are_given_in_the_order_of_arrival() -> None:
    admission = Admission(1, 10, 5.0)
    order: list[int] = []

    async def work(i: int) -> None:
        async with admission.enter():
            order.append(i)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(i) for i in range(8)))
    assert order == list(range(8))
    assert (admission.in_flight, admission.queued) == (0, 0)


async def test_a_newcomer_does_not_overtake_the_line() -> None:
    admission = Admission(1, 10, 5.0)
    async with occupied(admission, 1) as leave:
        first = asyncio.create_task(admission.acquire())
        await asyncio.sleep(0)
        leave.set()
        late = asyncio.create_task(admission.acquire())
        await first
        assert not late.done()
        admission.release()
        await late
        admission.release()


async def test_cancelling_a_waiting_request_leaks_no_place() -> None:
    admission = Admission(1, 5, 5.0)
    async with occupied(admission, 1):
        waiting = asyncio.create_task(admission.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (admission.in_flight, admission.queued) == (1, 0)
    assert (admission.in_flight, admission.queued) == (0, 0)


async def test_a_place_granted_in_the_moment_of_a_cancellation_passes_on() -> None:
    admission = Admission(1, 5, 5.0)
    await admission.acquire()
    first = asyncio.create_task(admission.acquire())
    second = asyncio.create_task(admission.acquire())
    await asyncio.sleep(0)
    admission.release()  # grants first …
    first.cancel()  # … which is cancelled before it runs again
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    admission.release()
    assert (admission.in_flight, admission.queued) == (0, 0)


async def test_cancelling_a_request_at_work_gives_its_place_back() -> None:
    admission = Admission(1, 5, 5.0)

    async def work() -> None:
        async with admission.enter():
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (admission.in_flight, admission.queued) == (0, 0)


async def test_a_failure_at_work_gives_its_place_back() -> None:
    admission = Admission(1, 5, 5.0)
    with pytest.raises(ZeroDivisionError):
        async with admission.enter():
            raise ZeroDivisionError
    assert admission.in_flight == 0


async def test_a_storm_with_timeouts_and_cancellations_ends_at_zero(clock: Clock) -> None:
    counts = Counts()
    admission = Admission(4, 20, 1000.0, counts)

    async def work(i: int) -> str:
        try:
            async with admission.enter():
                await asyncio.sleep(100.0 * (i % 7))
        except Overloaded:
            return "refused"
        return "done"

    tasks = [asyncio.create_task(work(i)) for i in range(300)]
    await clock.advance(150)
    for task in tasks[::11]:
        task.cancel()
    while not all(task.done() for task in tasks):
        await clock.advance(100)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert (admission.in_flight, admission.queued) == (0, 0)
    assert counts.last == (0, 0)
    assert outcomes.count("refused") == len(counts.rejected) > 0
    assert {"queue_full", "queue_timeout"} == set(counts.rejected)
    assert outcomes.count("done") > 0


async def test_idle_returns_once_everybody_left() -> None:
    admission = Admission(2, 5, 5.0)
    async with occupied(admission, 2):
        idle = asyncio.create_task(admission.wait_idle())
        await turns()
        assert not idle.done()
    await idle
