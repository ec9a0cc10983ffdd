"""One WebSocket's connection: uvicorn's protocol over wsproto, with limits on frames, on time and on what is not read.

uvicorn bounds the size of a message, but neither its time nor its frames nor the pongs that nobody reads; and it waits
without end for a peer that reads nothing. The handshake has been read by :mod:`.connection`, with all its limits.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from uvicorn import Config
from uvicorn.protocols.websockets.wsproto_impl import FrameTooLargeError, WSProtocol
from uvicorn.server import ServerState
from wsproto import events
from wsproto.connection import ConnectionState

from reward_gateway.errors import Overloaded
from reward_gateway.observer import CloseReason, Observer
from reward_gateway.settings import Settings
from reward_gateway.traffic.body_budget import Reservation

from .connection_places import ConnectionPlaces
from .websocket import ARRIVING

PING_S = 20.0
"""Seconds between two pings, and for the answer to one: a peer that vanished is noticed, and proxies see life."""

LINGER_S = 5.0
"""Time that a client has to read what it was sent last, and to stop sending."""

MAX_WAITING = 16
"""Maximum messages that wait for the one before."""

FREE_FRAMES = 1024
"""Frames of a message, and beside it, that may be of any size."""

LEAST_FRAME = 64
"""Bytes that each further frame of a message holds on average."""

PIECE = 8 << 10
"""Bytes that are parsed before the limits are looked at again: a read may hold tens of thousands of frames."""

VIOLATION, TOO_BIG, TRY_LATER = 1008, 1009, 1013
"""Codes of a closed WebSocket."""


class WebSocketConnection(WSProtocol):
    """The connection of a client that speaks WebSocket."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        settings: Settings,
        places: ConnectionPlaces,
        observer: Observer,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = logging.getLogger("uvicorn.websockets")  # of paths as they were sent, below warnings
        self.close_timeout = LINGER_S
        self._settings = settings
        self._places = places
        self._observer = observer
        self._socket: asyncio.Transport = None  # type: ignore[assignment] # what `transport` writes to
        self._frames = 0  # since the last whole message
        self._arriving: Reservation | None = None
        self._message_began: float | None = None
        self._timer: asyncio.TimerHandle | None = None  # of a message that is arriving
        self._unread_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None

    # How it begins

    def begin(self, transport: asyncio.Transport, scope: Any) -> None:
        """Go on from a handshake that was read from this transport; ``scope`` is that of its request."""
        self.connection_made(transport)
        key = next(value for name, value in scope["headers"] if name == b"sec-websocket-key")
        self.conn.initiate_upgrade_connection(
            [
                *((b"host", b"gateway"), (b"connection", b"upgrade"), (b"upgrade", b"websocket")),
                *((b"sec-websocket-key", key), (b"sec-websocket-version", b"13")),
            ],
            "/",
        )
        self.handle_events()
        # As it came: what wsproto makes of a name or of an address is not what HTTP would have made of it.
        as_sent: Any = {name: scope[name] for name in ("path", "raw_path", "query_string", "headers")}
        self.scope.update(as_sent)
        self.scope["extensions"][ARRIVING] = self._charge_to  # type: ignore[assignment] # an object of ours

    def _charge_to(self, arriving: Reservation) -> None:
        self._arriving = arriving

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._socket = transport
        self.transport = _Transport(transport, self._end)  # type: ignore[assignment]
        self._places.enter(self)
        self._places.work(self)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._unread_timer, self._end_timer):
            if timer is not None:
                timer.cancel()
        self._places.leave(self)
        super().connection_lost(exc)

    # What arrives

    def data_received(self, data: bytes) -> None:
        if not self.handshake_complete:  # what comes before the answer would be kept, however much it is
            self._observer.connection_closed("malformed_body")
            self._socket.abort()
            return
        for start in range(0, len(data), PIECE):
            if self._socket.is_closing():
                return
            super().data_received(data[start : start + PIECE])
        self._watch_message()

    def handle_message(self, event: events.TextMessage | events.BytesMessage) -> None:
        try:
            self.buffer.extend(event)
        except FrameTooLargeError:
            self._refuse(TOO_BIG, f"a message is over the limit of {self.config.ws_max_size} bytes", "too_large")
            return
        self._count_frame()
        if not event.message_finished or self.close_sent:
            return
        if self.queue.qsize() >= MAX_WAITING:
            self._refuse(VIOLATION, f"more than {MAX_WAITING} messages wait: send one after the other", "overloaded")
            return
        self._frames = 0
        self.queue.put_nowait(self.buffer.to_message())
        self.buffer.clear()
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def handle_ping(self, event: events.Ping) -> None:
        self._count_frame()
        if not self.close_sent:
            super().handle_ping(event)

    def handle_pong(self, event: events.Pong) -> None:
        self._count_frame()
        super().handle_pong(event)

    def handle_close(self, event: events.CloseConnection) -> None:
        if self.conn.state is ConnectionState.OPEN and not self.close_sent:  # no close frame: bytes that are no frame
            self._refuse(event.code, "what came is no frame of a WebSocket (RFC 6455)", "malformed_body")
            return
        super().handle_close(event)

    def _count_frame(self) -> None:
        self._frames += 1
        if self._frames > FREE_FRAMES + self.buffer.length // LEAST_FRAME:
            self._refuse(VIOLATION, f"more than {FREE_FRAMES} small frames: send larger ones", "malformed_body")

    def _watch_message(self) -> None:
        """Give what has arrived of a message its time, and its bytes their place among those of request bodies."""
        arrives = self.buffer.value is not None and not self.close_sent
        if not arrives:
            self._message_began = None
        elif self._message_began is None:
            self._message_began = self.loop.time()
            self._check_pace()
        if self._arriving is not None:
            try:
                self._arriving.resize(self.buffer.length if arrives else 0)
            except Overloaded as error:
                self._refuse(TRY_LATER, error.message, "overloaded")

    def _check_pace(self) -> None:
        """Refuse a message that arrives too slowly, or look again when it would."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._message_began is None:
            return
        rate = self._settings.min_body_rate
        late = self._message_began + self._settings.body_grace_s + self.buffer.length / rate
        if self.loop.time() < late:
            self._timer = self.loop.call_at(late, self._check_pace)
        else:
            self._refuse(VIOLATION, f"a message arrived at less than {rate:g} bytes per second", "request_timeout")

    async def receive(self) -> Any:
        message = await super().receive()
        if not self.writable.is_set() and not self.disconnected:
            self.transport.pause_reading()
        return message

    # What is sent

    def pause_writing(self) -> None:
        """The client does not read: neither is it read, since each of its pings would be answered."""
        super().pause_writing()
        self.transport.pause_reading()
        self._unread_timer = self.loop.call_later(self._settings.idle_timeout_s, self._cut_off)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None
        if not self.read_paused:
            self.transport.resume_reading()

    def _cut_off(self) -> None:
        self._observer.connection_closed("unread")
        self._socket.abort()

    # How it ends

    def make_room(self) -> None:
        """Leave at once; it is not asked for, since a WebSocket is always at work."""
        self._socket.abort()

    def _refuse(self, code: int, message: str, reason: CloseReason) -> None:
        """Close, and let the client read why; what it still sends is thrown away for a while."""
        if self.close_sent:
            return
        self.close_sent = True
        self.buffer.clear()
        self._observer.connection_closed(reason)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": message})
        self.stop_keepalive()
        self.transport.write(self.conn.send(events.CloseConnection(code=code, reason=message)))
        self.close_timer = self.loop.call_later(LINGER_S, self._end)
        self.read_paused = False
        self.transport.resume_reading()

    def _end(self) -> None:
        """Close once everything is sent, or after a while."""
        self._socket.close()
        if self._end_timer is None:
            self._end_timer = self.loop.call_later(LINGER_S, self._socket.abort)


class _Transport:
    """What the protocol writes to and reads from; how it is closed is the connection's business."""

    __slots__ = ("_transport", "close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close

    def pause_reading(self) -> None:
        if not self.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self.is_closing():
            self._transport.resume_reading()
