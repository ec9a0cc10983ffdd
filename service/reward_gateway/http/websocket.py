"""A WebSocket as the requests that are part of it see it: its place, and what is kept from one message to the next."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from starlette.requests import Request

from reward_gateway.errors import UpgradeRequired
from reward_gateway.traffic.body_budget import Reservation
from reward_gateway.traffic.guard import Traffic

from .call import WEBSOCKET, call_of, caller_of

ARRIVING = "reward_gateway.arriving"
"""Extension of a WebSocket's scope, where our server accepted it: called with the reservation for the bytes of a
message that is not complete."""


class WebSocketSession:
    """One WebSocket. What it holds is given back at the end of the ``with``.

    Attributes:
        kept: what a dialect keeps for the next message; empty at first.
        arriving: for the bytes of a message that is not complete; None before the handshake.
    """

    def __init__(self, traffic: Traffic) -> None:
        self.kept = b""
        self._traffic = traffic
        self._holds = ExitStack()
        self._kept: Reservation | None = None
        self.arriving: Reservation | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holds.close()

    def open(self, caller: str) -> None:
        """Take the place of a WebSocket. Raises Overloaded if there is none for this caller."""
        self._holds.enter_context(self._traffic.websockets.hold(caller))
        self._kept, self.arriving = (self._holds.enter_context(self._traffic.bodies.reserve(caller)) for _ in range(2))

    def keep(self, state: bytes) -> None:
        """Keep this in place of what was kept; its bytes count among those of request bodies.

        Raises Overloaded if there is no room for it; then what was kept stays.
        """
        assert self._kept is not None, "messages come after the handshake"
        self._kept.resize(len(state))
        self.kept = state


def open_session(request: Request) -> None:
    """Let a handshake become a WebSocket of its caller. Raises UpgradeRequired or Overloaded."""
    session_of(request).open(caller_of(call_of(request.scope), request.scope))


def session_of(request: Request) -> WebSocketSession:
    """The WebSocket that a request is part of. Raises UpgradeRequired if it is none's."""
    session: WebSocketSession | None = request.scope.get(WEBSOCKET)
    if session is None:
        raise UpgradeRequired("this path answers WebSockets only: open one (ws://HOST:PORT and this path)")
    return session
