"""The gate: bounded work, a bounded line, a quick no, and never a place lost."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.errors import DeadlineExceeded, Overloaded
from reward_gateway.fair_queue import WEIGHTS, Share, charge_to
from reward_gateway.observer import Observer
from reward_gateway.parking import park
from reward_gateway.traffic.admission import Admission

from tests.clock import Clock, turns

pytestmark = pytest.mark.anyio

TRAINER = Share()


class Counts(Observer):
    def __init__(self) -> None:
        self.rejected: list[str] = []
        self.last = (0, 0)
        self.queues: list[tuple[Mapping[str, int], float]] = []

    def admission_changed(self, in_flight: int, queued: int) -> None:
        self.last = (in_flight, queued)

    def admission_queue_changed(self, waiting: Mapping[str, int], predicted_wait_s: float) -> None:
        self.queues.append((dict(waiting), predicted_wait_s))

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


async def test_a_request_that_parks_leaves_its_slot_to_the_next() -> None:
    admission = Admission(1, 1, 1.0)
    async with admission.enter():
        park(5.0)
        async with admission.enter():
            park(5.0)  # one is parked already: this one keeps its slot
            assert (admission.in_flight, admission.parked) == (1, 1)
        assert (admission.in_flight, admission.parked) == (0, 1)
    assert (admission.in_flight, admission.parked) == (0, 0)


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


async def finish_each(admission: Admission, clock: Clock, requests: int, seconds: float) -> None:
    """Complete so many requests, one after another, each after so long."""
    for _ in range(requests):
        await clock.advance(seconds)
        admission.release()
        await turns()


async def line_up(admission: Admission, requests: int, share: Share = TRAINER) -> "list[asyncio.Task[None]]":
    """Requests of a share that have come to wait, or were rejected."""

    async def ask() -> None:
        with charge_to(share):
            await admission.acquire()

    tasks = [asyncio.create_task(ask()) for _ in range(requests)]
    await turns()
    return tasks


async def test_who_would_wait_too_long_is_rejected_at_once_and_told_how_long(clock: Clock) -> None:
    counts = Counts()
    admission = Admission(1, 4096, 1000.0, counts, max_queue_wait_s=20.0)
    await admission.acquire()
    tasks = await line_up(admission, 4)
    admission.check_wait()  # next to nothing is known yet
    tasks += await line_up(admission, 16)
    await finish_each(admission, clock, 12, 2.0)  # 8 wait
    assert admission.predict_wait_s() == pytest.approx(18, rel=0.05)
    admission.check_wait()
    tasks += await line_up(admission, 1)
    newcomer = (await line_up(admission, 1))[0]
    assert newcomer.done()
    with pytest.raises(Overloaded) as refused:
        await newcomer
    assert refused.value.retry_after_s == pytest.approx(20, rel=0.05)
    with pytest.raises(Overloaded):
        admission.check_wait()
    assert counts.rejected == ["predicted_wait"] * 2
    await finish_each(admission, clock, 9, 2.0)
    admission.release()
    assert counts.last == (0, 0)
    await asyncio.gather(*tasks)


async def test_who_would_wait_past_its_deadline_is_rejected_at_once(clock: Clock) -> None:
    admission = Admission(1, 4096, 1000.0, max_queue_wait_s=500.0)
    await admission.acquire()
    tasks = await line_up(admission, 20)
    await finish_each(admission, clock, 12, 2.0)
    with pytest.raises(Overloaded):
        await admission.acquire(clock.now() + 15)
    admission.check_wait(clock.now() + 25)
    await finish_each(admission, clock, 8, 2.0)
    await asyncio.gather(*tasks)


async def test_a_burst_that_came_before_the_rate_was_known_is_rejected_once_it_is(clock: Clock) -> None:
    counts = Counts()
    admission = Admission(1, 4096, 40.0, counts, max_queue_wait_s=1e6)
    await admission.acquire()
    tasks = await line_up(admission, 1000)
    assert admission.queued == 1000
    await finish_each(admission, clock, 10, 1.0)
    assert admission.queued <= 40
    assert counts.rejected == ["predicted_wait"] * (1000 - 10 - admission.queued)
    assert tasks[0].done()
    assert not tasks[20].done()  # the newest ones go
    await finish_each(admission, clock, admission.queued, 1.0)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, Overloaded) and outcome.retry_after_s for outcome in outcomes if outcome is not None)


async def test_who_waits_is_not_rejected_by_a_rate_of_few_completions(clock: Clock) -> None:
    counts = Counts()
    admission = Admission(16, 4096, 50.0, counts, max_queue_wait_s=1e6)
    for _ in range(16):
        await admission.acquire()
    tasks = await line_up(admission, 80)
    await finish_each(admission, clock, 10, 1.0)  # 70 wait: 70 s, as it seems
    assert counts.rejected == []
    await finish_each(admission, clock, 10, 1.0)
    assert counts.rejected
    assert set(counts.rejected) == {"predicted_wait"}
    assert admission.queued <= 50
    for _ in range(admission.queued + 16):
        admission.release()
        await turns()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert counts.last == (0, 0)


async def test_a_burst_is_bounded_before_the_rate_is_known(clock: Clock) -> None:
    """Of what comes while the first requests take long, only as much waits as can be answered in time at best."""
    counts = Counts()
    admission = Admission(4, 4096, 3600.0, counts, max_queue_wait_s=1000.0)
    for _ in range(4):
        await admission.acquire()
    tasks = await line_up(admission, 8)
    await clock.advance(1000.0)
    tasks += await line_up(admission, 8)
    assert admission.queued == 8  # the 9th waits for five more than are in flight: 5 / 4 of 1,000 s
    assert counts.rejected == ["predicted_wait"] * 8
    for _ in range(12):
        admission.release()
        await turns()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[:8] == [None] * 8
    assert all(isinstance(outcome, Overloaded) and (outcome.retry_after_s or 0) >= 1000 for outcome in outcomes[8:])
    assert counts.last == (0, 0)


async def test_callers_share_the_slots_by_the_weight_of_their_priority(clock: Clock) -> None:
    counts = Counts()
    admission = Admission(1, 4096, 1000.0, counts)
    await admission.acquire()
    assert counts.queues == []  # nothing is reported while nothing waits
    batch = await line_up(admission, 40, Share("evaluation", "batch"))
    training = await line_up(admission, 40)
    await finish_each(admission, clock, 20, 0.1)
    assert sum(task.done() for task in training) == pytest.approx(16, abs=1)
    assert sum(task.done() for task in batch) == pytest.approx(4, abs=1)
    waiting, predicted_wait_s = counts.queues[-1]
    assert waiting == {"interactive": 0, "training": 40 - 16, "batch": 40 - 4}
    assert predicted_wait_s == pytest.approx(61 * 0.1, rel=0.1)
    await finish_each(admission, clock, 60, 0.1)
    await asyncio.gather(*batch, *training)
    assert counts.queues[-1] == ({"interactive": 0, "training": 0, "batch": 0}, 0.0)


async def test_a_caller_that_fills_the_queue_gives_way_to_one_that_waits_for_little() -> None:
    counts = Counts()
    admission = Admission(1, 10, 1000.0, counts)
    await admission.acquire()
    greedy = await line_up(admission, 12, Share("greedy"))
    assert [task.done() for task in greedy] == [False] * 10 + [True] * 2
    modest = await line_up(admission, 1)
    assert not modest[0].done()
    await turns()
    assert [task.done() for task in greedy[:10]] == [False] * 9 + [True]  # its newest
    assert counts.rejected == ["queue_full"] * 3
    many = await line_up(admission, 9)
    assert sum(task.done() for task in many) == 5  # both have five
    for _ in range(11):
        admission.release()
        await turns()
    outcomes = await asyncio.gather(*greedy, *modest, *many, return_exceptions=True)
    rejected = [outcome for outcome in outcomes if outcome is not None]
    assert all(isinstance(outcome, Overloaded) and outcome.retry_after_s for outcome in rejected)
    assert len(rejected) == len(counts.rejected) == 22 - 10
    assert counts.last == (0, 0)


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("ask"), st.sampled_from("abc"), st.sampled_from(sorted(WEIGHTS)), st.sampled_from((None, 3.0, 60.0))
        ),
        st.tuples(st.just("finish")),
        st.tuples(st.just("leave"), st.integers(0, 50)),
        st.tuples(st.just("wait"), st.sampled_from((0.1, 1.0, 10.0))),
    ),
    max_size=60,
)


@given(steps=steps, max_in_flight=st.integers(1, 3), max_queued=st.integers(0, 8))
def test_whatever_happens_the_bounds_hold_and_everybody_is_answered(
    steps: list[Any], max_in_flight: int, max_queued: int
) -> None:
    """No slot is lost, nobody waits for ever, and every rejection says when to come again."""

    async def live() -> None:
        with Clock(asyncio.get_running_loop()) as clock:
            counts = Counts()
            admission = Admission(max_in_flight, max_queued, 30.0, counts, max_queue_wait_s=20.0)
            tasks: list[asyncio.Task[None]] = []
            held: list[None] = []

            async def ask(share: Share, seconds: float | None) -> None:
                with charge_to(share):
                    await admission.acquire(None if seconds is None else clock.now() + seconds)
                held.append(None)

            for step in steps:
                match step:
                    case ("ask", caller, priority, seconds):
                        tasks.append(asyncio.create_task(ask(Share(caller, priority), seconds)))
                    case ("finish",) if held:
                        held.pop()
                        admission.release()
                    case ("leave", which) if tasks:
                        tasks[which % len(tasks)].cancel()
                    case ("wait", seconds):
                        await clock.advance(seconds)
                await turns(5)
                assert admission.in_flight == len(held) <= max_in_flight
                assert admission.queued <= max_queued
                assert admission.queued == sum(not task.done() for task in tasks)
                assert admission.in_flight == max_in_flight or not admission.queued
            while admission.in_flight:
                held.pop()
                admission.release()
                await turns(5)
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            for outcome in outcomes:
                match outcome:
                    case Overloaded():
                        assert outcome.retry_after_s is not None
                        assert outcome.retry_after_s >= 1
                    case _:
                        assert outcome is None or isinstance(outcome, DeadlineExceeded | asyncio.CancelledError)
            assert counts.last == (0, 0) or not tasks

    asyncio.run(live())


async def test_how_long_each_request_waited_is_told_by_its_priority() -> None:
    waits: list[tuple[str, float]] = []

    class Waits(Observer):
        def admission_passed(self, priority: str, waited_s: float) -> None:
            waits.append((priority, waited_s))

    admission = Admission(1, 4, 30.0, Waits())
    async with occupied(admission, 1) as leave:
        assert waits == [("training", 0.0)], "it found a free place"
        with charge_to(Share("a", "batch")):
            waiting = asyncio.create_task(admission.acquire())
        await asyncio.sleep(0.02)
        leave.set()
        await waiting
        admission.release()
    (_, (priority, waited_s)) = waits
    assert priority == "batch"
    assert waited_s >= 0.02 - 0.001
