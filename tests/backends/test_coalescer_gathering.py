"""When the rows that wait are sent: at once, behind the calls in flight, or together with what comes next."""

import asyncio
from collections.abc import Sequence

import pytest
from reward_gateway.backends import coalescer as module
from reward_gateway.backends.call_sizes import CallSizes, InFlight

from tests.clock import Clock

from .counting_model import Model, turn

pytestmark = pytest.mark.anyio


async def test_a_single_row_does_not_wait_for_company() -> None:
    model = Model()
    task = model.start([1])
    await turn(3)
    assert model.calls == [[1]]
    await task


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows gather for as long as the test takes, however slow the machine is."""
    monkeypatch.setattr(module, "GATHER_S", 3600.0)


@pytest.mark.usefixtures("patience")
async def test_requests_that_come_one_at_a_time_gather_behind_a_call_until_it_is_answered() -> None:
    """As those of gRPC do, of which each turn of the event loop brings one."""
    model = Model(max_calls=4)
    model.gate.clear()
    tasks = []
    for i in range(6):
        tasks.append(model.start([i]))
        await turn()
    assert model.calls == [[0]]
    model.gate.set()
    await asyncio.gather(*tasks)
    assert model.calls == [[0], [1, 2, 3, 4, 5]]


async def shared_call(model: Model) -> None:
    """A call that two requests share."""
    await asyncio.gather(model.ask([0]), model.ask([1]))
    assert model.calls.pop() == [0, 1]


@pytest.mark.usefixtures("patience")
async def test_after_a_shared_call_rows_are_sent_once_no_more_come_at_once() -> None:
    model = Model()
    await shared_call(model)
    tasks = []
    for i in range(5):
        tasks.append(model.start([i]))
        await turn(module.QUIET_TURNS - 2)
    await asyncio.gather(*tasks)
    assert model.calls == [[0, 1, 2, 3, 4]]


async def test_rows_that_come_without_a_pause_are_sent_after_a_while(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_TURNS", 1_000_000)
    model = Model()
    await shared_call(model)
    task = model.start([2])
    await clock.advance(module.GATHER_S)
    assert model.calls == [[2]]
    await task


@pytest.mark.usefixtures("patience")
async def test_a_full_call_does_not_wait_for_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_TURNS", 1_000_000)
    model = Model()
    await shared_call(model)
    await model.ask(range(2, 10))
    assert model.calls == [[2, 3, 4, 5, 6, 7, 8, 9]]


async def test_behind_a_call_that_takes_longer_the_next_one_is_sent_while_it_is_computed(clock: Clock) -> None:
    model = Model(max_calls=4)
    model.gate.clear()
    tasks = [model.start([1], seconds=1e6)]
    await turn()
    tasks.append(model.start([2], seconds=1e6))
    await clock.advance(module.GATHER_S)
    assert model.calls == [[1], [2]]
    model.gate.set()
    await asyncio.gather(*tasks)


async def test_a_full_call_waits_for_nobody() -> None:
    model = Model(max_calls=4)
    model.gate.clear()
    tasks = [model.start([1])]
    await turn()
    tasks.append(model.start(range(2, 10)))
    await turn()
    assert model.calls == [[1], [2, 3, 4, 5, 6, 7, 8, 9]]
    model.gate.set()
    await asyncio.gather(*tasks)


@pytest.mark.usefixtures("patience")
async def test_every_instance_has_a_call_before_rows_gather() -> None:
    model = Model(max_calls=4, instances=2)
    model.gate.clear()
    tasks = []
    for i in range(4):
        tasks.append(model.start([i]))
        await turn()
    assert model.calls == [[0], [1]]
    model.gate.set()
    await asyncio.gather(*tasks)
    assert model.calls == [[0], [1], [2, 3]]


async def test_what_comes_while_calls_are_in_flight_goes_in_one_call(clock: Clock) -> None:
    model = Model(max_calls=2)
    model.gate.clear()
    early = [model.start([1])]
    await turn()
    early.append(model.start([2]))
    await clock.advance(module.GATHER_S)
    late = [model.start([i]) for i in range(3, 9)]
    await turn()
    assert model.calls == [[1], [2]]
    model.gate.set()
    await asyncio.gather(*early, *late)
    assert model.calls == [[1], [2], [3, 4, 5, 6, 7, 8]]
    assert model.most_in_flight == 2


class OneAhead(CallSizes):
    """One call at a time, of two rows and predicted to take two hours; the next one is sent when it should be over."""

    def count_room(self, calls: Sequence[InFlight]) -> float:
        return 2 if not calls or (len(calls) == 1 and self.predict_wait_s(calls) == 0.0) else 0

    def predict_wait_s(self, calls: Sequence[InFlight]) -> float:
        return max(0.0, 7200.0 - calls[0][1]) if calls else 0.0


async def test_the_next_call_is_sent_when_the_one_in_flight_should_be_over(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CallSizes", OneAhead)
    model = Model(max_calls=4)
    model.gate.clear()
    answer = model.start(range(8), seconds=1e6)
    await clock.advance(3600.0)
    assert model.calls == [[0, 1]]
    await clock.advance(3600.0)
    assert model.calls == [[0, 1], [2, 3]]
    model.gate.set()
    assert (await answer).values.ravel().tolist() == list(range(8))
    assert model.most_in_flight == 2
