"""Cancels the work of a client that disconnected, which frees its slot, its rows and its memory.

Nothing is watched in the first quarter of a second, which is the life of nearly every request. After that
the inbox reads ahead on the connection, keeps what it reads for the application, and cancels the request
once the connection is closed.
"""

import asyncio
from collections import deque
from typing import Any

from starlette.types import Message, Receive

WATCH_AFTER_S = 0.25
_READ_AHEAD = 4
"""Messages that are kept for the application; the server bounds the size of each."""


class ClientGone(Exception):
    """The client closed the connection; whatever it asked for is dropped."""


class Inbox:
    """A connection's messages, read by the application, or ahead of it by the watcher.

    Args:
        owner: the task that answers the request; cancelled when the client is gone.

    Attributes:
        gone: whether it is.
    """

    def __init__(self, receive: Receive, owner: "asyncio.Task[Any]") -> None:
        self._receive = receive
        self._owner = owner
        self._reading = False
        self._watcher: asyncio.Task[None] | None = None
        self._alarm = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._start_watching)
        self.gone = False

    async def __call__(self) -> Message:
        if self._watcher is None:
            self._reading = True
            try:
                return await self._receive()
            finally:
                self._reading = False
                if self._watcher is not None:  # it began meanwhile
                    self._taken.set()
        while not self._messages:
            if self.gone:
                return {"type": "http.disconnect"}
            self._arrived.clear()
            await self._arrived.wait()
        self._taken.set()
        return self._messages.popleft()

    def _start_watching(self) -> None:
        self._messages: deque[Message] = deque()
        self._arrived, self._taken = asyncio.Event(), asyncio.Event()
        self._watcher = asyncio.get_running_loop().create_task(self._read_ahead())

    async def _read_ahead(self) -> None:
        while True:
            while self._reading or len(self._messages) >= _READ_AHEAD:
                self._taken.clear()
                await self._taken.wait()
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                self._arrived.set()
                self._owner.cancel()
                return
            self._messages.append(message)
            self._arrived.set()

    def close(self) -> None:
        """Stop reading ahead."""
        self._alarm.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
