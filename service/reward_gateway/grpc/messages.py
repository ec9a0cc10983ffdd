"""Messages as they are received: one of a call, within places that callers share and the call's deadline.

A handler of one message is registered as one of a stream of messages, which is the same to its client: so the service
decides before anything of the message is received.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import grpc

from reward_gateway.errors import DeadlineExceeded, GatewayError
from reward_gateway.settings import Settings
from reward_gateway.traffic.deadlines import deadline_at
from reward_gateway.traffic.message_places import MessagePlaces

from .failures import status_code, trailing_metadata

Handler = Any
Details = grpc.HandlerCallDetails


def address_of(context: Any) -> str:
    """Whose share a call without a key takes: its address, without the port."""
    return f"address {context.peer().rpartition(':')[0]}"


async def receive_message(context: Any, caller: str, places: MessagePlaces, deadline: float) -> bytes | None:
    """The next message of a call; None if there is none.

    Args:
        context: of the call.
        caller: whose share of the places it takes.
        deadline: time on the running loop's clock by which the whole message must have arrived.

    Raises:
        Overloaded: too many messages wait to be received.
        DeadlineExceeded: it did not arrive in time.
    """
    loop = asyncio.get_running_loop()
    await places.acquire(caller, deadline)
    arrival: asyncio.Future[bytes | None] = loop.create_future()
    # Never broken off: the transport would write into memory that is gone. It ends when the call does.
    receiving = loop.create_task(context.read())
    receiving.add_done_callback(partial(_tell_arrival, arrival))
    alarm = loop.call_at(deadline, _give_up, arrival)
    try:
        return await arrival
    finally:
        alarm.cancel()
        places.release(caller)


def _tell_arrival(arrival: "asyncio.Future[bytes | None]", receiving: "asyncio.Task[Any]") -> None:
    """Pass on what was received, if somebody still waits for it."""
    error = None if receiving.cancelled() else receiving.exception()
    if arrival.done():
        return
    if receiving.cancelled():
        arrival.cancel()
    elif error is not None:
        arrival.set_exception(error)
    else:
        message = receiving.result()
        arrival.set_result(message if isinstance(message, bytes) else None)  # grpc.aio.EOF


def _give_up(arrival: "asyncio.Future[bytes | None]") -> None:
    if not arrival.done():
        arrival.set_exception(DeadlineExceeded("the deadline passed before the whole message had arrived"))


class OpenCalls(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # it is generic in the stubs only
    """Bounds what is received of calls that need no key: health, reflection, and the probes of a service.

    Args:
        places: those of these calls alone, so that they are answered whatever others send.
        guarded: names of the services whose calls of other kinds receive their messages themselves.
    """

    def __init__(self, places: MessagePlaces, settings: Settings, guarded: tuple[str, ...]) -> None:
        self._places = places
        self._settings = settings
        self._guarded = tuple(f"/{service}/" for service in guarded)

    async def intercept_service(
        self, continuation: Callable[[Details], Awaitable[Handler]], handler_call_details: Details
    ) -> Handler:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        if not handler.request_streaming:
            return self._bound_single(handler)
        method: str = handler_call_details.method
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
            return await receive_message(context, address_of(context), self._places, deadline)
        except GatewayError as error:
            await context.abort(status_code(error), error.message, trailing_metadata(error))
            raise
