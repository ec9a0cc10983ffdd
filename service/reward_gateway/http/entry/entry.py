"""The way of every HTTP request to its handler: what is checked, in this order, and what ends it.

Every request gets an id, a clock, one log line, one count, and an answer whatever happens. Then: is it from a page of
another site; has its connection a certificate, where one is asked for; is the gateway shutting down; who calls; its
body, within its limits; a place among the requests that are worked on; and the route of its path. What cannot be
answered is refused at the headers: a body that is too large, a queue that is too long, a process that holds too many
bytes already. Probes and scrapes pass, whatever happens.

This is one function and not a chain of ASGI applications, each of which would cost every request its own wrappers.
"""

import asyncio
from contextlib import nullcontext, suppress
from functools import partial
from time import perf_counter

import structlog
from starlette.types import Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from reward_gateway.accounts import working_for
from reward_gateway.errors import GatewayError, InternalError, Unauthenticated
from reward_gateway.fair_queue import charge_to
from reward_gateway.guide.site import is_documentation
from reward_gateway.intake.idempotency import check_idempotency_key
from reward_gateway.intake.limits import InputLimits
from reward_gateway.intake.run_name import agree_on_run, parse_step
from reward_gateway.sample.flags import format_flags
from reward_gateway.settings import Settings
from reward_gateway.telemetry.access_log import AccessLog
from reward_gateway.telemetry.logs import describe_exception
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.telemetry.traces import trace_id_of
from reward_gateway.traffic.deadlines import parse_milliseconds
from reward_gateway.traffic.guard import Traffic
from reward_gateway.traffic.keys import ANYBODY, ApiKey, require_right, token_of

from ..call import API_KEY, DEADLINE, IDEMPOTENCY_KEY, REQUEST_ID, RUN_STEP, Call, begin, route_of
from ..client_profiles import profile_of
from ..errors import error_response
from ..mounted import Mounted
from ..route_table import RouteTable
from ..routing import RawRoute
from .body import BodyReader
from .browsers import BrowserCheck
from .certificates import check_certificate
from .disconnect import ClientGone, Inbox
from .keys import right_for
from .waiting import only_waits

log = structlog.get_logger(__name__)

CLIENT_GONE = "499"
"""The status that is counted for a client that went away before its answer; it is never sent."""


class Entry:
    """Makes the call of a request, lets it pass, renders every error, counts and logs the outcome."""

    def __init__(
        self,
        routes: RouteTable,
        settings: Settings,
        telemetry: Telemetry,
        traffic: Traffic,
        mounted: Mounted | None = None,
    ) -> None:
        self._routes = routes
        self._mounted = mounted
        self._limits = InputLimits(settings)
        self._default_deadline_s = settings.default_deadline_s
        self._asks_for_certificate = settings.tls_client_ca is not None
        self._telemetry = telemetry
        self._traffic = traffic
        self._access_log = AccessLog(settings.access_log)
        self._browsers = BrowserCheck(settings)
        self._bodies = BodyReader(settings, traffic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = begin(scope, asyncio.get_running_loop().time())
        bound_variables = bind_contextvars(request_id=call.id)
        answer = _Answer(call, send)
        mounted = self._mounted if self._mounted is not None and self._mounted.owns(scope) else None
        try:
            try:
                self._take_headers(call, scope["path"])
                with self._telemetry.tracer.span(f"HTTP {scope['method']}", call.headers) as span:
                    call.trace_id = trace_id_of(span)
                    await self._pass_checks(call, scope, receive, answer, mounted)
            except ClientGone:
                pass
            except Exception as error:
                if answer.begun:  # it can only be cut off
                    raise
                failure = error if isinstance(error, GatewayError) else InternalError(_INTERNAL)
                if mounted is None:
                    self._note_refusal(call, scope, failure)
                if failure.status == 500:
                    log.error("request failed", route=route_of(scope), **describe_exception(error))
                refusing = mounted or self._find_login(scope, failure)
                response = (
                    error_response(failure, error_format=call.error_format)
                    if refusing is None
                    else refusing.refuse(scope, failure)
                )
                del failure  # its traceback holds this frame, which would hold it until a collection of garbage
                await response(scope, receive, answer)
        finally:
            self._report_call(scope, call, answer.status)
            reset_contextvars(**bound_variables)

    async def _pass_checks(
        self, call: Call, scope: Scope, receive: Receive, answer: "_Answer", mounted: Mounted | None
    ) -> None:
        self._browsers.check(scope, call.headers, has_tokens=mounted is not None)
        if call.open:
            with self._traffic.drain.work():
                await self._handle(scope, receive, answer, b"")
            return
        if self._asks_for_certificate:
            check_certificate(scope)
        if mounted is None or not mounted.is_asset(scope):
            self._traffic.drain.check_accepting()
        task = asyncio.current_task()
        assert task is not None, "every server answers a request in a task"
        inbox = Inbox(receive, task)
        is_stream = mounted is not None and mounted.is_stream(scope)
        is_page = mounted is not None and scope["method"] in ("GET", "HEAD")  # people look where much is going on
        try:
            with nullcontext() if is_stream else self._traffic.drain.work():
                call.key = await self._identify_caller(call, scope, mounted)
                with (
                    charge_to(call.key.share),
                    working_for(call.key.account),
                    self._bodies.reserve(call, scope, queues=not is_page) as reservation,
                ):
                    body = await self._bodies.read(call, scope, inbox, reservation)
                    handle = self._handle if mounted is None else partial(_hand_over, mounted, call.key)
                    if is_page or only_waits(scope):
                        await handle(scope, inbox, answer, body)
                        return
                    admission = self._traffic.admission
                    await admission.acquire(call.due_at)
                    with admission.occupy():
                        await handle(scope, inbox, answer, body)
        except asyncio.CancelledError:
            if not inbox.gone:
                raise
            task.uncancel()
            raise ClientGone from None
        finally:
            inbox.close()

    def _find_login(self, scope: Scope, failure: GatewayError) -> Mounted | None:
        """What leads a person who reads documentation to the login."""
        if isinstance(failure, Unauthenticated) and _reads_documentation(scope):
            return self._mounted if self._mounted is not None and self._mounted.prefers_page(scope) else None
        return None

    async def _identify_caller(self, call: Call, scope: Scope, mounted: Mounted | None) -> ApiKey:
        if mounted is not None:
            return await mounted.identify(scope)
        token = token_of(call.headers.get("authorization"), call.headers.get(API_KEY))
        if token is None and self._mounted is not None and _reads_documentation(scope):
            reader = await self._mounted.find_reader(scope)
            if reader is not None:
                require_right(reader, right_for(scope["path"]))
                return reader
        try:
            return await self._traffic.identify_caller(token, right_for(scope["path"]))
        except GatewayError as error:
            self._telemetry.metrics.request_unauthorized(error.code)
            raise

    async def _handle(self, scope: Scope, receive: Receive, answer: "_Answer", body: bytes) -> None:
        route = self._routes.find(scope)
        if isinstance(route, RawRoute):
            await route.answer(scope, receive, answer, body)
        else:
            await route.handle(scope, receive, answer)

    def _take_headers(self, call: Call, path: str) -> None:
        profile = profile_of(path)
        call.error_format = profile.error_format
        for name in (REQUEST_ID, DEADLINE, API_KEY):
            if name in call.headers:
                self._limits.name(len(call.headers[name]), name)
        if DEADLINE in call.headers:
            call.deadline_s = parse_milliseconds(call.headers[DEADLINE], DEADLINE)
        if IDEMPOTENCY_KEY in call.headers:
            call.idempotency_key = check_idempotency_key(call.headers[IDEMPOTENCY_KEY])
        if call.run_names:
            call.run = agree_on_run(call.run_names)
        if RUN_STEP in call.headers:
            call.step = parse_step(call.headers[RUN_STEP])
        call.deadline_s = profile.shorten(call.deadline_s, self._default_deadline_s)

    def _note_refusal(self, call: Call, scope: Scope, failure: GatewayError) -> None:
        """Note it by its route, which it may not have reached."""
        routed = dict(scope)
        if "route" not in routed:
            with suppress(GatewayError):
                self._routes.find(routed)
        key = "" if call.key is ANYBODY else call.key.name
        self._traffic.refusals.note(failure.code, call.protocol, route_of(routed), key)

    def _report_call(self, scope: Scope, call: Call, status: str) -> None:
        seconds = perf_counter() - call.arrived
        route = route_of(scope)
        self._telemetry.metrics.request_answered(call.protocol, route, status, seconds, call.trace_id)
        self._access_log.write(
            call.protocol,
            route,
            status,
            seconds,
            failed=status >= "500",
            probe=call.open,
            key=call.key.name,
            run=call.run,
            trace_id=call.trace_id,
        )


def _reads_documentation(scope: Scope) -> bool:
    """Whether it is a request that a browser's session may make: it changes and scores nothing."""
    return scope["method"] in ("GET", "HEAD") and is_documentation(scope["path"])


async def _hand_over(mounted: Mounted, key: ApiKey, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
    await mounted.answer(scope, receive, send, body, key)


_INTERNAL = "internal error; the gateway's log has the details under this request's id (X-Request-Id)"


class _Answer:
    """Sends what answers a request, with the headers of every answer.

    Attributes:
        status: what was sent, or that the client is gone.
        begun: whether anything was sent.
    """

    __slots__ = ("_call", "_send", "begun", "status")

    def __init__(self, call: Call, send: Send) -> None:
        self._call, self._send = call, send
        self.status, self.begun = CLIENT_GONE, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.begun = str(message["status"]), True
            message["headers"] = [*message.get("headers", ()), *_response_headers(self._call)]
        await self._send(message)


def _response_headers(call: Call) -> list[tuple[bytes, bytes]]:
    stages = {**call.stages, "total": (perf_counter() - call.arrived) * 1e3}
    timing = ", ".join([f"{name};dur={ms:.3f}" for name, ms in stages.items()])
    headers = [(b"x-request-id", call.id.encode()), (b"server-timing", timing.encode())]
    if call.flags and (flags := format_flags(call.flags)):
        headers.append((b"x-reward-flags", flags.encode("ascii", "replace")))
    return headers
