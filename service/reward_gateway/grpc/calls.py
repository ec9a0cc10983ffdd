"""What every call has around it: the key, the drain, parsing, errors as statuses, a line in the metrics.

A call that would be refused, for its key or because it would wait too long, is refused before its message is received.
Requests reach the service as bytes, so that one which is no message is answered as the caller's error,
like every other, and not as an internal error.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass
from random import getrandbits
from time import perf_counter
from typing import Any, NoReturn, TypeVar

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from reward_gateway.accounts import work_for
from reward_gateway.errors import GatewayError, InternalError, MalformedBody
from reward_gateway.fair_queue import charge_task_to
from reward_gateway.intake import idempotency, run_name
from reward_gateway.intake.idempotency import check_idempotency_key
from reward_gateway.intake.run_name import agree_on_run, parse_step
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope
from reward_gateway.settings import Settings
from reward_gateway.telemetry.access_log import AccessLog
from reward_gateway.telemetry.logs import REQUEST_ID
from reward_gateway.telemetry.traces import Tracer, trace_id_of
from reward_gateway.traffic.deadlines import deadline_at
from reward_gateway.traffic.guard import Traffic
from reward_gateway.traffic.keys import ANYBODY, ApiKey, Right, token_of

from .failures import status_code, trailing_metadata
from .messages import MessageReceiver, address_of

log = structlog.get_logger(__name__)

_INTERNAL = "internal error; the gateway's log has the details under this call's id (x-request-id)"
_MAX_ID = 256
_IDEMPOTENCY_KEY, _RUN, _STEP = (
    header.lower() for header in (idempotency.HEADER, run_name.HEADER, run_name.STEP_HEADER)
)
"""Names of metadata, which gRPC has in lower case."""
_SCOPE = frozenset((_IDEMPOTENCY_KEY, _RUN, _STEP))

M = TypeVar("M", bound=Message)
R = TypeVar("R")
Context = grpc.aio.ServicerContext[bytes, bytes]
Metadata = Iterable[tuple[str, str | bytes]]


@dataclass(slots=True)
class Call:
    """One call that was let in.

    Attributes:
        scope: on whose behalf it is answered, and whether a repeat counts as the same request.
        sender: whose share of the bytes its messages take: its key's, or its address's where keys are off.
        arrived_at: time on the running loop's clock; deadlines count from here.
        left_s: seconds until the caller's own deadline at that time; None without one.
        deadline: the caller's own, within those of the settings.
    """

    context: Context
    key: ApiKey
    scope: RequestScope
    sender: str
    arrived_at: float
    left_s: float | None
    deadline: float

    def time_remaining(self) -> float | None:
        """Seconds until the caller's own deadline now; None without one."""
        return self.context.time_remaining()


Unary = Callable[[bytes, Call], Coroutine[Any, Any, Message | bytes]]
ServerStream = Callable[[bytes, Call], Coroutine[Any, Any, None]]
Stream = Callable[[AsyncIterator[bytes], Call], Coroutine[Any, Any, None]]


class Calls:
    """Wraps the methods of a service into handlers."""

    def __init__(
        self, traffic: Traffic, settings: Settings, observer: Observer = UNOBSERVED, tracer: Tracer | None = None
    ) -> None:
        self._traffic = traffic
        self._settings = settings
        self._receiver = MessageReceiver(traffic.messages)
        self._observer = observer
        self._tracer = tracer or Tracer()
        self._access_log = AccessLog(settings.access_log)

    def unary(
        self, name: str, answer: Unary, right: Right = "score", *, waits: bool = False
    ) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """A handler of one message in, one out, for those who have the right.

        Args:
            waits: ``answer`` waits for a slot; so the call is refused at once if it would wait too long.
        """
        admission, bodies = self._traffic.admission, self._traffic.bodies

        async def receive_and_answer(_requests: AsyncIterator[bytes], call: Call) -> bytes:
            if waits:
                admission.check_wait(call.deadline)
            raw = await self._receiver.receive(call.context, call.sender, call.deadline)
            if raw is None:
                raise MalformedBody("the call has no message")
            with bodies.reserve(call.sender, len(raw)):
                message = await answer(raw, call)
            return message if isinstance(message, bytes) else message.SerializeToString()

        return grpc.stream_unary_rpc_method_handler(self._guard(name, receive_and_answer, right))

    def server_stream(self, name: str, answer: ServerStream) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """A handler of one message in, messages out; ``answer`` writes to the context itself."""

        async def receive_and_answer(_requests: AsyncIterator[bytes], call: Call) -> None:
            raw = await self._receiver.receive(call.context, call.sender, call.deadline)
            if raw is None:
                raise MalformedBody("the call has no message")
            await answer(raw, call)

        return grpc.stream_stream_rpc_method_handler(self._guard(name, receive_and_answer, "score"))

    def stream(self, name: str, answer: Stream, *, waits: bool = True) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """A handler of messages in, messages out; ``answer`` writes to the context itself.

        Args:
            waits: as of :meth:`unary`.
        """

        async def check_and_answer(requests: AsyncIterator[bytes], call: Call) -> None:
            if waits:
                self._traffic.admission.check_wait(call.deadline)
            await answer(requests, call)

        return grpc.stream_stream_rpc_method_handler(self._guard(name, check_and_answer, "score"))

    def _guard(
        self, name: str, answer: Callable[[AsyncIterator[bytes], Call], Coroutine[Any, Any, R]], right: Right
    ) -> Callable[[AsyncIterator[bytes], Context], Coroutine[Any, Any, R | None]]:
        """What a call of a method has around its answer."""
        drain, observer, clock = self._traffic.drain, self._observer, asyncio.get_running_loop

        async def handle(requests: AsyncIterator[bytes], context: Context) -> R | None:
            started, status = perf_counter(), "CANCELLED"
            key, run, traces = ANYBODY, "", [""]
            arrived_at, left_s = clock().time(), context.time_remaining()
            sent = context.invocation_metadata() or ()
            metadata: dict[str, Any] = dict(sent)
            request_id = call_id(_read_text(metadata, "x-request-id"))
            REQUEST_ID.set(request_id)  # a call is a task, with a context of its own
            try:
                key = await self._identify_caller(metadata, right)
                scope = self._read_scope(key, metadata, sent)
                run = scope.run
                sender = address_of(context) if key is ANYBODY else f"key {key.name}"
                deadline = deadline_at(arrived_at, self._settings, left_s)
                call = Call(context, key, scope, sender, arrived_at, left_s, deadline)
                charge_task_to(key.share)
                work_for(key.account)
                with drain.work():
                    answering = answer(requests, call)
                    result = await (
                        self._trace(name, metadata, answering, traces) if self._tracer.enabled else answering
                    )
                status = "OK"
            except GatewayError as error:
                status = error.grpc_status
                self._traffic.refusals.note(error.code, "grpc", name, "" if key is ANYBODY else key.name)
                await self._abort_call(context, error, request_id)
            except (asyncio.CancelledError, grpc.aio.BaseError):  # the caller has gone
                raise
            except Exception as error:
                status = InternalError.grpc_status
                log.error("call failed", method=name, exc_info=error)
                await self._abort_call(context, InternalError(_INTERNAL), request_id)
            else:
                return result
            finally:
                seconds, trace_id = perf_counter() - started, traces[-1]
                observer.request_answered("grpc", name, status, seconds, trace_id)
                failed = status == InternalError.grpc_status
                self._access_log.write(
                    "grpc", name, status, seconds, failed=failed, key=key.name, run=run, trace_id=trace_id
                )

        return handle

    async def _trace(
        self, name: str, metadata: dict[str, Any], answering: Coroutine[Any, Any, R], traces: list[str]
    ) -> R:
        """Answer in a span; the id of its trace is added to ``traces``."""
        with self._tracer.span(f"gRPC {name}", metadata) as span:
            traces.append(trace_id_of(span))
            return await answering

    async def _identify_caller(self, metadata: dict[str, Any], right: Right) -> ApiKey:
        self._traffic.drain.check_accepting()
        if self._traffic.takes_anybody:
            return ANYBODY
        try:
            return await self._traffic.identify_caller(
                token_of(_read_text(metadata, "authorization"), _read_text(metadata, "x-api-key")), right
            )
        except GatewayError as error:
            self._observer.request_unauthorized(error.code)
            raise

    @staticmethod
    def _read_scope(key: ApiKey, metadata: dict[str, Any], sent: Metadata) -> RequestScope:
        """On whose behalf a call is answered: of its key, its run and step, and its idempotency key."""
        if _SCOPE.isdisjoint(metadata):
            return NO_SCOPE if key is ANYBODY else RequestScope(key.caller, keeps_samples=key.keep_samples)
        given_key = _read_text(metadata, _IDEMPOTENCY_KEY)
        idempotency_key = None if given_key is None else check_idempotency_key(given_key)
        run = agree_on_run(str(value) for entry, value in sent if entry == _RUN) if _RUN in metadata else ""
        given_step = _read_text(metadata, _STEP)
        step = None if given_step is None else parse_step(given_step)
        return RequestScope(key.caller, run, idempotency_key, step, key.keep_samples)

    @staticmethod
    async def _abort_call(context: Context, error: GatewayError, call: str) -> NoReturn:
        metadata = (*trailing_metadata(error), ("x-request-id", call))
        await context.abort(status_code(error), error.message, metadata)


def call_id(requested_id: str | None) -> str:
    """The caller's own name of the call where it can stand in a log, else one of ours."""
    return (
        requested_id
        if requested_id and len(requested_id) <= _MAX_ID and requested_id.isascii() and requested_id.isprintable()
        else f"{getrandbits(128):032x}"
    )


def parse(kind: type[M], request: bytes, whole: type[Message] | None = None) -> M:
    """The message in the bytes; ``whole`` is what they are, if only part of it is read. Raises MalformedBody."""
    try:
        return kind.FromString(request)
    except DecodeError:
        raise MalformedBody(f"the bytes are no {(whole or kind).DESCRIPTOR.full_name}") from None


def _read_text(metadata: dict[str, Any], key: str) -> str | None:
    value = metadata.get(key)
    return value if isinstance(value, str) else None
