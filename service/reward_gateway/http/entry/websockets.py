"""WebSockets as HTTP requests: the handshake is a GET, and each message a POST to its path, through all other layers.

So nothing is decided twice. Who may connect, from which page, to which recipe, and then for every message anew the key
and its rate, the limits, admission, deadline, count and log line are those of HTTP requests; the answer to a message is
the body of its response. Messages are answered one after the other, each once, in their order.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reward_gateway.settings import Settings
from reward_gateway.tasks import end_task
from reward_gateway.traffic.guard import Traffic

from ..call import IDEMPOTENCY_KEY, REQUEST_ID, WEBSOCKET
from ..websocket import ARRIVING, WebSocketSession

ACCEPTED, FINISHED = 101, 204
"""The status of a handshake that becomes a WebSocket, and of a message after which it is over."""

NORMAL, GOING_AWAY, NOT_TEXT, REFUSED, RESTARTING = 1000, 1001, 1003, 1008, 1012
"""Codes of a closed WebSocket (RFC 6455 and the registry of codes)."""

_LOST_KEY = (401, 403)
"""Statuses of a message whose sender may not send any more."""

_OF_HANDSHAKE = frozenset(
    {
        *(b"connection", b"upgrade", b"content-length", b"content-type", b"content-encoding", b"transfer-encoding"),
        *(REQUEST_ID.encode(), IDEMPOTENCY_KEY.encode()),
    }
)
"""Headers that say something of the handshake alone; the others hold for its messages too."""


class WebSocketLayer:
    """Turns WebSockets into requests; HTTP requests pass."""

    def __init__(self, app: ASGIApp, settings: Settings, traffic: Traffic) -> None:
        self.app = app
        self._idle_s = settings.websocket_idle_s
        self._traffic = traffic

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        handle = self._handle if scope["type"] == "websocket" else self.app
        return handle(scope, receive, send)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        with WebSocketSession(self._traffic) as session:
            requests = _Requests(self.app, scope, session)
            if await _shake_hands(requests, scope, receive, send):
                if (charge_to := scope.get("extensions", {}).get(ARRIVING)) is not None:
                    charge_to(session.arriving)
                await self._answer_messages(requests, receive, send)

    async def _answer_messages(self, requests: "_Requests", receive: Receive, send: Send) -> None:
        coming = asyncio.ensure_future(receive())
        draining = asyncio.ensure_future(self._traffic.drain.wait_begun())
        try:
            while True:
                await asyncio.wait({coming, draining}, timeout=self._idle_s, return_when=asyncio.FIRST_COMPLETED)
                if draining.done():
                    await _close(send, RESTARTING, "this gateway is shutting down; connect to another one")
                    return
                if not coming.done():
                    await _close(send, GOING_AWAY, f"no message came within {self._idle_s:g} s")
                    return
                message = coming.result()
                if message["type"] == "websocket.disconnect":
                    return
                if (text := message.get("text")) is None:
                    await _close(send, NOT_TEXT, "messages are text: JSON")
                    return
                coming = asyncio.ensure_future(receive())  # tells when the client has left
                answer = await requests.answer(text.encode(), coming)
                if answer is None:
                    return
                if answer.body:
                    await send({"type": "websocket.send", "text": answer.body.decode()})
                if answer.status == FINISHED or answer.status in _LOST_KEY:
                    await _close(send, NORMAL if answer.status == FINISHED else REFUSED)
                    return
        finally:
            await end_task(coming)
            await end_task(draining)


async def _shake_hands(requests: "_Requests", scope: Scope, receive: Receive, send: Send) -> bool:
    """Accept the WebSocket, or refuse it with the answer to its handshake."""
    await receive()
    answer = await requests.shake_hands()
    if answer.status == ACCEPTED:
        await send({"type": "websocket.accept", "headers": [each for each in answer.headers if each[0][:2] == b"x-"]})
        return True
    if "websocket.http.response" not in scope.get("extensions", {}):
        await _close(send, REFUSED)
        return False
    headers = list(answer.headers)
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": answer.body, "more_body": False})
    return False


async def _close(send: Send, code: int, reason: str = "") -> None:
    await send({"type": "websocket.close", "code": code, "reason": reason})


@dataclass
class _Answer:
    """The response to one of the requests; the status 0 is none."""

    status: int = 0
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message.get("headers", ())
        else:
            self.body += message.get("body", b"")


@dataclass
class _Requests:
    """Makes the requests of one WebSocket.

    Attributes:
        scope: of the WebSocket.
        gone: set once the client has left.
    """

    app: ASGIApp
    scope: Scope
    session: WebSocketSession
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def shake_hands(self) -> _Answer:
        """The answer to the handshake."""
        return await self._request("GET", b"", self.scope["headers"])

    async def answer(self, message: bytes, coming: "asyncio.Future[Message]") -> _Answer | None:
        """The answer to a message; None if the client left before there was one.

        Args:
            coming: what the client sends next.
        """
        headers = [each for each in self.scope["headers"] if each[0] not in _OF_HANDSHAKE]
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(message)).encode())]
        work = asyncio.create_task(self._request("POST", message, headers))
        try:
            first: set[asyncio.Future[Any]] = {work, coming}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if coming.done() and coming.result()["type"] == "websocket.disconnect":
                self.gone.set()
            answer = await work
        finally:
            work.cancel()
        return answer if answer.status and not self.gone.is_set() else None

    async def _request(self, method: str, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> _Answer:
        scope = {name: value for name, value in self.scope.items() if name not in ("subprotocols", "extensions")}
        scope |= {"type": "http", "method": method, "headers": list(headers), WEBSOCKET: self.session}
        scope |= {"scheme": "https" if self.scope["scheme"] == "wss" else "http", "state": dict(scope.get("state", {}))}
        sent, answer = False, _Answer()

        async def receive() -> Message:
            nonlocal sent
            if sent:
                await self.gone.wait()
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, receive, answer.take)
        return answer
