"""The outermost layer: every request gets an id, a clock, one log line, one count, and an answer whatever happens."""

import asyncio
from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from reward_gateway.errors import GatewayError, InternalError
from reward_gateway.intake.idempotency import check_idempotency_key
from reward_gateway.intake.limits import InputLimits
from reward_gateway.intake.run_name import agree_on_run
from reward_gateway.sample.flags import format_flags
from reward_gateway.settings import Settings
from reward_gateway.telemetry.logs import describe_exception
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.traffic.deadlines import parse_milliseconds

from ..call import API_KEY, DEADLINE, IDEMPOTENCY_KEY, REQUEST_ID, Call, begin, route_of
from ..client_profiles import profile_of
from ..errors import error_response

log = structlog.get_logger(__name__)

CLIENT_GONE = "499"
"""The status that is counted for a client that went away before its answer; it is never sent."""


class ClientGone(Exception):
    """The client closed the connection; whatever it asked for is dropped."""


class ContextLayer:
    """Makes the call, renders every error, counts and logs the outcome."""

    def __init__(self, app: ASGIApp, settings: Settings, telemetry: Telemetry) -> None:
        self.app = app
        self._limits = InputLimits(settings)
        self._default_deadline_s = settings.default_deadline_s
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        call = begin(scope, asyncio.get_running_loop().time())
        bound_variables = bind_contextvars(request_id=call.id)
        status = CLIENT_GONE

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
                message["headers"] = [*message.get("headers", ()), *_response_headers(call)]
            await send(message)

        try:
            try:
                self._take_headers(call, scope["path"])
                with self._telemetry.tracer.span(f"HTTP {scope['method']}", call.headers):
                    await self.app(scope, receive, send_with_headers)
            except ClientGone:
                pass
            except Exception as error:
                if status != CLIENT_GONE:  # the answer has begun; it can only be cut off
                    raise
                failure = error if isinstance(error, GatewayError) else InternalError(_INTERNAL)
                if failure.status == 500:
                    log.error("request failed", route=route_of(scope), **describe_exception(error))
                await error_response(failure, error_format=call.error_format)(scope, receive, send_with_headers)
        finally:
            self._report_call(scope, call, status)
            reset_contextvars(**bound_variables)

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
        call.deadline_s = profile.shorten(call.deadline_s, self._default_deadline_s)

    def _report_call(self, scope: Scope, call: Call, status: str) -> None:
        seconds = perf_counter() - call.arrived
        route = route_of(scope)
        self._telemetry.metrics.request_answered(call.protocol, route, status, seconds)
        line = {"route": route, "status": status, "seconds": round(seconds, 6), "key": call.key.name}
        if status >= "500":
            log.warning("request", **line, once_per=(route, status))
        else:
            log.debug("request", **line)


_INTERNAL = "internal error; the gateway's log has the details under this request's id (X-Request-Id)"


def _response_headers(call: Call) -> list[tuple[bytes, bytes]]:
    stages = {**call.stages, "total": (perf_counter() - call.arrived) * 1e3}
    timing = ", ".join(f"{name};dur={ms:.3f}" for name, ms in stages.items())
    headers = [(b"x-request-id", call.id.encode()), (b"server-timing", timing.encode())]
    if flags := format_flags(call.flags):
        headers.append((b"x-reward-flags", flags.encode("ascii", "replace")))
    return headers
