"""Messages as they are received: one of a call, within places that callers share and the call's deadline.

A handler of one message is registered as one of a stream of messages, which is the same to its client: so the service
decides before anything of the message is received.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any

import grpc

from reward_gateway.errors import DeadlineExceeded, GatewayError
from reward_gateway.settings import Settings
from reward_gateway.traffic.deadlines import deadline_at
from reward_gateway.traffic.message_places import MessagePlaces

from .failures import status_code, trailing_metadata

Handler = Any
Arrival = asyncio.Future[Any]


def address_of(context: Any) -> str:
    """Whose share a call without a key takes: its address, without the port."""
    return f"address {context.peer().rpartition(':')[0]}"


class MessageReceiver:
    """Receives one message of each of many calls.

    Args:
        places: what is received at once.
    """

    def __init__(self, places: MessagePlaces) -> None:
        self._places = places
        self._alarm = ArrivalAlarm()

    async def receive(self, context: Any, caller: str, deadline: float) -> bytes | None:
        """The next message of a call; None if there is none.

        Args:
            context: of the call.
            caller: whose share of the places it takes.
            deadline: time on the running loop's clock by which the whole message must have arrived.

        Raises:
            Overloaded: too many messages wait to be received.
            DeadlineExceeded: it did not arrive in time.
        """
        if not self._places.take_free(caller):
            await self._places.acquire(caller, deadline)
        arrival: Arrival = asyncio.get_running_loop().create_future()
        try:
            self._alarm.watch(arrival, deadline)
            go_on(context.read(), arrival)
            message = await arrival
        finally:
            self._alarm.forget(arrival)
            self._places.release(caller)
        return message if isinstance(message, bytes) else None  # grpc.aio.EOF


def go_on(reading: Coroutine[Any, Any, object], arrival: Arrival, _: object = None) -> None:
    """Run a coroutine until it waits for something, and again once that is there: what it returns is the arrival's.

    A receive is never broken off: the transport would write into memory that is gone. It ends when the call does, and
    is not a task, so that nothing else can end it; who waits for the arrival may leave.
    """
    try:
        awaited = reading.send(None)
    except StopIteration as end:
        if not arrival.done():
            arrival.set_result(end.value)
    except asyncio.CancelledError:
        arrival.cancel()
    except Exception as error:
        if not arrival.done():
            arrival.set_exception(error)
    else:
        awaited.add_done_callback(partial(go_on, reading, arrival))


class ArrivalAlarm:
    """Gives up what has not arrived by its deadline: one timer for all, since setting one takes as long as receiving a
    message that is there."""

    def __init__(self) -> None:
        self._deadlines: dict[Arrival, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf

    def watch(self, arrival: Arrival, deadline: float) -> None:
        """Fail an arrival with DeadlineExceeded at a time of its loop's clock, unless it is forgotten before."""
        self._deadlines[arrival] = deadline
        if deadline < self._rings_at:
            self._set(deadline, arrival.get_loop())

    def forget(self, arrival: Arrival) -> None:
        """Watch an arrival no longer."""
        del self._deadlines[arrival]

    def _set(self, time: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = time
        self._timer = loop.call_at(time, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        now = max(loop.time(), self._rings_at)  # a loop's timers may be a little early
        for arrival, deadline in self._deadlines.items():
            if deadline <= now and not arrival.done():
                arrival.set_exception(DeadlineExceeded("the deadline passed before the whole message had arrived"))
        self._timer, self._rings_at = None, math.inf
        waiting = [deadline for deadline in self._deadlines.values() if deadline > now]
        if waiting:
            self._set(min(waiting), loop)


class OpenCalls(grpc.GenericRpcHandler):  # type: ignore[type-arg] # it is generic in the stubs only
    """The handlers of services as a server is given them, which bound what is received of calls that need no key:
    health, reflection, and the probes of a service.

    Args:
        places: those of these calls alone, so that they are answered whatever others send.
        guarded: handlers of services by their names; calls of streams of messages receive them themselves.
    """

    def __init__(
        self, places: MessagePlaces, settings: Settings, guarded: "Mapping[str, grpc.GenericRpcHandler[Any, Any]]"
    ) -> None:
        self._receiver = MessageReceiver(places)
        self._settings = settings
        self._services = list(guarded.values())
        self._guarded = tuple(f"/{name}/" for name in guarded)
        self._known: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, handlers: "Iterable[grpc.GenericRpcHandler[Any, Any]]") -> None:
        """Add handlers of further services: what generated code calls on a server."""
        self._services += handlers

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """The same handlers once more, for servers that know methods by their names."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        """The handler of a method; None if there is none."""
        method: str = handler_call_details.method
        known = self._known.get(method)
        if known is None:
            for service in self._services:
                handler = service.service(handler_call_details)
                if handler is not None:
                    known = self._known[method] = self._bound(method, handler)
                    break
        return known

    def _bound(self, method: str, handler: Handler) -> Handler:
        if not handler.request_streaming:
            return self._bound_single(handler)
        return handler if method.startswith(self._guarded) else self._bound_stream(handler)

    def _bound_single(self, handler: Handler) -> Handler:
        answer = handler.unary_stream if handler.response_streaming else handler.unary_unary
        read = handler.request_deserializer or bytes

        async def bounded(_requests: AsyncIterator[bytes], context: Any) -> Any:
            raw = await self._receive(context)
            return await answer(read(b"" if raw is None else raw), context)

        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        return make(bounded, None, handler.response_serializer)

    def _bound_stream(self, handler: Handler) -> Handler:
        read = handler.request_deserializer or bytes

        async def bounded(_requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[Any]:
            async def received() -> AsyncIterator[Any]:
                while (raw := await self._receive(context)) is not None:
                    yield read(raw)

            async for response in handler.stream_stream(received(), context):
                yield response

        return grpc.stream_stream_rpc_method_handler(bounded, None, handler.response_serializer)

    async def _receive(self, context: Any) -> bytes | None:
        now = asyncio.get_running_loop().time()
        deadline = min(deadline_at(now, self._settings, context.time_remaining()), now + self._settings.body_grace_s)
        try:
            return await self._receiver.receive(context, address_of(context), deadline)
        except GatewayError as error:
            await context.abort(status_code(error), error.message, trailing_metadata(error))
            raise
