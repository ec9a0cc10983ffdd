"""One HTTP connection: uvicorn's protocol with limits on headers, on time and on what is not read.

uvicorn bounds none of them: headers of any size are collected, a connection may wait for ever, and an answer that
nobody reads is kept. And it closes a connection while its client is still sending, which resets it, so that the client
loses the answer; here the client gets the answer first.
"""

import asyncio
import re
from functools import partial
from typing import Any
from urllib.parse import unquote

import httptools
from starlette.types import Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from reward_gateway.errors import Draining, GatewayError, HeadersTooLarge, MalformedBody, Overloaded, SlowRequest
from reward_gateway.observer import CloseReason, Observer
from reward_gateway.settings import Settings
from reward_gateway.traffic.drain import Drain

from .call import OPEN_PATHS
from .connection_places import ConnectionPlaces
from .entry.body import ARRIVED
from .entry.certificates import HAS_CERTIFICATE
from .errors import error_response

_WEBSOCKET_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")

LINGER_S = 5.0
"""Time that a client which is still sending has to read its answer and to stop."""

FREE_CHUNKS = 4096
"""Chunks of a body that may be of any size."""

LEAST_CHUNK = 64
"""Bytes that each further chunk holds on average: reading a chunk costs the event loop some 5 µs whatever it holds."""

MAX_PIPELINED = 16
"""Maximum requests of one connection that wait for the one before."""


class Connection(HttpToolsProtocol):
    """One connection of a client."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        settings: Settings,
        places: ConnectionPlaces,
        drain: Drain,
        observer: Observer,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.timeout_keep_alive = settings.idle_timeout_s  # type: ignore[assignment] # uvicorn's are whole seconds
        self._settings = settings
        self._places = places
        self._drain = drain
        self._observer = observer
        self._fault: GatewayError | None = None
        self._in_head = True  # also while there is nothing yet
        self._head_ended = False  # in the last chunk
        self._received = 0  # bytes of this head, those of the last read aside
        self._read = 0  # bytes of the last read
        self._body_read = 0  # bytes of all reads since the head ended, and of the one in which it did
        self._body_chunks = 0
        self._current: RequestResponseCycle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unread = 0
        self._closing = False  # what the client still sends is thrown away
        self._lost = False
        self._reserved = False  # only health checks are answered
        self._upgrades = False  # the head that has just been read asks for a WebSocket

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if (encrypted := transport.get_extra_info("ssl_object")) is not None:
            peer = encrypted.getpeercert(binary_form=True)
            self.app_state = {**self.app_state, HAS_CERTIFICATE: peer is not None}
        if not self._places.enter(self):
            self._report("overloaded")
            self._closing = True
            transport.abort()
            return
        self._reserved = self._places.full
        self._set_timer(self._settings.header_timeout_s, self._time_out_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._places.leave(self)
        self._cancel_timer()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        # It holds this connection: trainers that open one per request would leave all of them to be collected.
        self._current = self.cycle = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        whole = self._in_head  # all of these bytes belong to the head, if it does not end in them
        self._read = len(data)
        self._body_read += self._read
        self._head_ended = False
        super().data_received(data)
        if not self._in_head or self._closing:
            return
        if whole and not self._head_ended:
            self._received += self._read
            if self._received > self._settings.max_header_bytes:
                self._refuse(self._too_large())
                return
        if self._answering:
            return
        self._places.hold_head(self, self._received)
        if self._timer is None:
            self._set_timer(self._settings.header_timeout_s, self._time_out_head)

    # What the parser calls; it stops at an exception

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > self._settings.max_headers:
            raise self._too_large()

    def on_headers_complete(self) -> None:
        if self._received + self._read > self._settings.max_header_bytes:  # perhaps: a body may be among it
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)  # ": ", "\r\n"
            if size > self._settings.max_header_bytes:
                raise self._too_large()
        if len(self.pipeline) >= MAX_PIPELINED:
            self._fault = Overloaded(f"more than {MAX_PIPELINED} requests wait on this connection")
            raise self._fault
        if sum(name == b"host" for name, _ in self.headers) > 1:
            self._fault = MalformedBody("the request has two Host headers")
            raise self._fault
        codings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        if codings and (codings != [b"chunked"] or self.parser.get_http_version() != "1.1"):
            self._fault = MalformedBody(
                "Transfer-Encoding: send chunked alone, over HTTP/1.1; say in Content-Encoding how a body is compressed"
            )
            raise self._fault
        self._in_head, self._head_ended = False, True
        self._received = 0
        self._body_read, self._body_chunks = self._read, 0
        self._cancel_timer()
        self._places.work(self)
        self._upgrades = self._asks_for_websocket()
        if self._upgrades:
            url = httptools.parse_url(self.url)
            raw_path = url.path or b"/"
            path = {"path": unquote(raw_path.decode("ascii")), "raw_path": raw_path, "query_string": url.query or b""}
            self.scope.update(path)  # type: ignore[typeddict-item]
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """One more chunk of a body begins."""
        self._body_chunks += 1
        if self._body_chunks > FREE_CHUNKS + self._body_read // LEAST_CHUNK:
            self._fault = MalformedBody(
                f"the body comes in more than {FREE_CHUNKS} chunks of less than {LEAST_CHUNK} bytes; send larger ones"
            )
            raise self._fault

    def on_message_complete(self) -> None:
        self._in_head = True
        super().on_message_complete()

    # WebSockets

    def _asks_for_websocket(self) -> bool:
        """Whether the request is the handshake of a WebSocket, in every part; else it is answered as HTTP.

        There is no WebSocket for a request behind another one, nor on a connection that only health checks may use.
        """
        if not self.parser.should_upgrade():
            return False
        headers = dict(self.headers)
        return (
            self._get_upgrade() == b"websocket"
            and self.parser.get_method() == b"GET"
            and self.parser.get_http_version() == "1.1"
            and headers.get(b"sec-websocket-version") == b"13"
            and _WEBSOCKET_KEY.fullmatch(headers.get(b"sec-websocket-key", b"")) is not None
            and headers.get(b"content-length", b"0") == b"0"
            and b"transfer-encoding" not in headers
            and not self._answering
            and not (self._reserved and self._places.full)
        )

    def _should_upgrade(self) -> bool:
        return self._upgrades

    def _unsupported_upgrade_warning(self) -> None:
        """Other protocols are declined by an answer in this one, which is no event."""

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; what this one has of it ends here."""
        self._closing = True
        self._places.leave(self)
        self.connections.discard(self)
        protocol: Any = self.ws_protocol_class
        websocket = protocol(self.config, self.server_state, self.app_state, self.loop)
        self.transport.set_protocol(websocket)
        websocket.begin(self.transport, self.scope)

    def _too_large(self) -> HeadersTooLarge:
        self._fault = HeadersTooLarge(
            f"the headers exceed the limit of {self._settings.max_header_bytes} bytes "
            f"or {self._settings.max_headers} headers"
        )
        return self._fault

    # Requests and answers

    @property
    def _answering(self) -> bool:
        return self._current is not None and not self._current.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._current = cycle
        cycle.transport = _AnswerTransport(self.transport, self._end_last_answer)  # type: ignore[assignment]
        self._reserved = self._reserved and self._places.full
        if self._reserved and cycle.scope["path"] not in OPEN_PATHS:
            self._observer.admission_rejected("connections")
            app = error_response(Overloaded("every connection of this gateway is in use; try again later"))
        super()._start_asgi_task(cycle, partial(self._answer, cycle, app))

    async def _answer(self, cycle: RequestResponseCycle, app: Any, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer; the connection ends with the answer if the body was not read, or at shutdown."""

        async def send_last(message: Message) -> None:
            if cycle.more_body or self._reserved or self._drain.leaving:
                cycle.keep_alive = False
            if self.flow.write_paused:
                await self._wait_until_read()
            await send(message)

        if not cycle.more_body and not cycle.disconnected:  # nobody has to wait for what is here already
            scope[ARRIVED], cycle.body = bytes(cycle.body), bytearray()
            cycle.message_event.clear()
        await app(scope, receive, send_last)

    async def _wait_until_read(self) -> None:
        """Wait until the client has read enough for more to be sent, or cut off one that reads nothing."""
        unread = self.transport.get_write_buffer_size()
        while self.flow.write_paused:
            try:
                async with asyncio.timeout(self._settings.idle_timeout_s):
                    await self.flow.drain()
            except TimeoutError:
                before, unread = unread, self.transport.get_write_buffer_size()
                if unread >= before:
                    self._report("unread")
                    self.transport.abort()
                    return

    def on_response_complete(self) -> None:
        if self._closing:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:
            self._places.wait(self)

    def _end_last_answer(self) -> None:
        # The answer in progress is not handed over: it would hold itself, and all of its request, until a collection of
        # garbage, of which one per thousands of requests stopped all others for 25 to 110 ms.
        still_sending = (self._current is not None and self._current.more_body) or self._closing
        if still_sending and not self.transport.is_closing():
            self._linger()
        else:
            self._close()

    # How a connection ends

    def shutdown(self) -> None:
        if self._closing:
            return
        if self._received and not self._answering:
            self._refuse(Draining("this gateway is shutting down; send the request to another one"))
        else:
            super().shutdown()

    def make_room(self) -> None:
        self._report("overloaded")
        if self._received and not self._closing:
            self._write_error(Overloaded("too many connections wait with incomplete headers; try again later"))
        self.transport.close()
        self.transport.abort()  # neither what is not sent nor a client that does not end TLS keeps the place

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser stopped at."""
        self._refuse(self._fault or MalformedBody("the bytes are not a valid request of HTTP/1.1"))

    def timeout_keep_alive_handler(self) -> None:
        self._report("idle")
        self._close()

    def _time_out_head(self) -> None:
        self._timer = None
        if self._received:
            self._refuse(SlowRequest(f"the headers did not arrive within {self._settings.header_timeout_s:g} s"))
        else:
            self.timeout_keep_alive_handler()

    def _refuse(self, error: GatewayError) -> None:
        """Answer what could not become a request, and close."""
        self._report(error.code)  # type: ignore[arg-type] # one of the codes that are raised here
        current = self._current
        if current is not None and not current.response_complete:
            if not current.more_body:  # an earlier request: it gets its answer, which is the last one
                self._closing = True
                current.keep_alive = False
                self.pipeline.clear()
                return
            current.disconnected = True
            current.message_event.set()
            if current.response_started:
                self.transport.abort()
                return
        self._write_error(error)
        self._linger()

    def _write_error(self, error: GatewayError) -> None:
        response = error_response(error)
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines = [name + b": " + value + b"\r\n" for name, value in headers if name != b"connection"]
        head = b"".join((STATUS_LINE[error.status], *lines, b"connection: close\r\n\r\n"))
        self.transport.write(head + bytes(response.body))

    def _linger(self) -> None:
        """Let the client read its answer; what it still sends is thrown away for a while."""
        self._closing = True
        self.pipeline.clear()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._places.wait(self)
        self._set_timer(LINGER_S, self.transport.abort)

    def _close(self) -> None:
        """Close once everything is sent. A client that reads nothing for as long as one may be idle is cut off."""
        self._closing = True
        if self._lost:
            return
        self._places.wait(self)
        self.transport.close()
        if unread := self.transport.get_write_buffer_size():
            self._unread = unread
            self._set_timer(self._settings.idle_timeout_s, self._check_unread)

    def _check_unread(self) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread >= self._unread:
            self._report("unread")
            self.transport.abort()
        else:
            self._unread = unread
            self._set_timer(self._settings.idle_timeout_s, self._check_unread)

    def _report(self, reason: CloseReason) -> None:
        self._observer.connection_closed(reason)

    def _set_timer(self, seconds: float, expired: Any) -> None:
        self._cancel_timer()
        self._timer = self.loop.call_later(seconds, expired)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _AnswerTransport:
    """What an answer is written to; closing it is the connection's business."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Any) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close
