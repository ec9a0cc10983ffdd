"""A message that is received: never broken off, and given up by its deadline with one timer for all."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from reward_gateway.errors import DeadlineExceeded
from reward_gateway.grpc.messages import ArrivalAlarm, MessageReceiver
from reward_gateway.traffic.message_places import MessagePlaces

from tests.clock import Clock

pytestmark = pytest.mark.anyio


class Sending:
    """A call whose message arrives when the test says so."""

    def __init__(self) -> None:
        self.arrived: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.ended = False

    async def read(self) -> object:
        try:
            for _ in range(2):  # a receive may wait more than once
                await asyncio.shield(self.arrived)
            return await self.arrived
        finally:
            self.ended = True


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def later(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def receive(receiver: MessageReceiver, call: Sending, seconds: float = 60) -> "asyncio.Task[bytes | None]":
    return asyncio.ensure_future(receiver.receive(call, "a", later(seconds)))


@pytest.fixture
def places() -> MessagePlaces:
    return MessagePlaces(8, 8)


async def test_a_message_is_received_and_its_place_is_free_again(places: MessagePlaces) -> None:
    call = Sending()
    receiving = receive(MessageReceiver(places), call)
    await turn()
    assert places.held == 1
    call.arrived.set_result(b"message")
    assert await receiving == b"message"
    assert places.held == 0


async def test_the_end_of_a_call_is_no_message(places: MessagePlaces) -> None:
    call = Sending()
    call.arrived.set_result(object())  # grpc.aio.EOF
    assert await receive(MessageReceiver(places), call) is None


async def test_a_call_that_fails_while_its_message_is_received_fails(places: MessagePlaces) -> None:
    call = Sending()
    receiving = receive(MessageReceiver(places), call)
    await turn()
    call.arrived.set_exception(RuntimeError("the call is over"))
    with pytest.raises(RuntimeError):
        await receiving
    assert places.held == 0


async def test_a_call_that_is_cancelled_by_the_transport_is_cancelled(places: MessagePlaces) -> None:
    call = Sending()
    receiving = receive(MessageReceiver(places), call)
    await turn()
    call.arrived.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiving


@pytest.mark.parametrize("end", [lambda call: call.set_result(b"m"), lambda call: call.set_exception(RuntimeError())])
async def test_who_waits_may_leave_and_the_receive_goes_on_to_its_end(
    places: MessagePlaces, end: Callable[[Any], None]
) -> None:
    call = Sending()
    receiving = receive(MessageReceiver(places), call)
    await turn()
    receiving.cancel()
    await turn()
    assert receiving.cancelled()
    assert places.held == 0
    assert not call.ended
    end(call.arrived)
    await turn()
    assert call.ended


async def test_each_message_is_given_up_by_its_own_deadline(places: MessagePlaces, clock: Clock) -> None:
    receiver, calls = MessageReceiver(places), [Sending() for _ in range(4)]
    late, soon, never, sooner = (
        receive(receiver, call, seconds) for call, seconds in zip(calls, (3000, 2000, 9000, 1000), strict=True)
    )
    await turn()
    calls[3].arrived.set_result(b"in time")
    assert await sooner == b"in time"
    await clock.advance(2001)
    with pytest.raises(DeadlineExceeded):
        await soon
    assert not late.done()
    await clock.advance(1000)
    with pytest.raises(DeadlineExceeded):
        await late
    assert (never.done(), places.held) == (False, 1)
    calls[2].arrived.set_result(b"at last")
    assert await never == b"at last"


async def test_many_messages_take_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, alarm, set_at = asyncio.get_running_loop(), ArrivalAlarm(), []
    call_at = loop.call_at

    def counted(when: float, *arguments: Any, **more: Any) -> asyncio.TimerHandle:
        set_at.append(when)
        return call_at(when, *arguments, **more)

    monkeypatch.setattr(loop, "call_at", counted)
    arrivals = [loop.create_future() for _ in range(100)]
    began = later(50)
    for i, arrival in enumerate(arrivals):
        alarm.watch(arrival, began + i)
    for arrival in arrivals:
        alarm.forget(arrival)
    assert set_at == [began]
