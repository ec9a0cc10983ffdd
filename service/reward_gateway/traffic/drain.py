"""Draining: how a gateway shuts down without failing requests.

Readiness turns off first, so that load balancers send requests elsewhere; those that still come are answered for a
while where the operator wants that; then new requests are rejected with a reason and a time to retry, and requests in
flight finish. What is not finished when time is up is cut off, and its callers are told to send it to another
gateway."""

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import TypeVar

from reward_gateway.errors import Draining

T = TypeVar("T")

UNWIND_S = 2.0
"""Time that work has to end after it was cut off."""


class Drain:
    """The drain switch of one process, and the work that it waits for. It cannot be undone.

    Attributes:
        leaving: whether the gateway is shutting down, and so not ready.
        draining: whether it refuses new requests.
    """

    def __init__(self) -> None:
        self.leaving = False
        self.draining = False
        self._begun = asyncio.Event()
        self._cut = asyncio.Event()
        self._idle = asyncio.Event()
        self._work: set[asyncio.Task[object]] = set()

    @property
    def in_progress(self) -> int:
        """The number of requests under way, from their headers to their answers."""
        return len(self._work)

    def leave(self) -> None:
        """Stop being ready; requests are still accepted."""
        self.leaving = True

    def begin(self) -> None:
        """Stop being ready and accepting requests."""
        self.leaving = True
        self.draining = True
        self._begun.set()

    async def wait_begun(self) -> None:
        """Return once draining has begun."""
        await self._begun.wait()

    def check_accepting(self) -> None:
        """Raise Draining if the gateway no longer accepts requests."""
        if self.draining:
            raise Draining("this gateway is shutting down; send the request to another one")

    async def unless_begun(self, waiting: Awaitable[T]) -> T:
        """What comes of a wait, which holds nothing up: it is broken off once draining begins.

        Raises:
            Draining: it was broken off.
        """
        result, begun = asyncio.ensure_future(waiting), asyncio.ensure_future(self._begun.wait())
        try:
            await asyncio.wait({result, begun}, return_when=asyncio.FIRST_COMPLETED)
            if result.done():
                return result.result()
            raise Draining("this gateway is shutting down; go on with another one")
        finally:
            result.cancel()
            begun.cancel()

    def work(self) -> "Work":
        """Mark the running task as a request that is answered in the body of the ``with``.

        Raises:
            Draining: in the body, when it is cut off.
        """
        return Work(self)

    @property
    def is_cut(self) -> bool:
        """Whether what is in flight is cut off."""
        return self._cut.is_set()

    def cut_off(self) -> None:
        """End all work now; each request fails with Draining."""
        self.begin()
        self._cut.set()
        for task in self._work:
            task.cancel()

    async def finish(self, timeout_s: float) -> bool:
        """Wait for the requests in flight; those left after ``timeout_s``, or when others cut them off, are cut off.

        Returns:
            True if all were answered in time.
        """
        self.begin()
        waits = [asyncio.create_task(self._wait_idle()), asyncio.create_task(self._cut.wait())]
        try:
            await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if self._work:
                self.cut_off()
                await asyncio.wait(waits[:1], timeout=UNWIND_S)
            return not self._cut.is_set()
        finally:
            for wait in waits:
                wait.cancel()

    async def _wait_idle(self) -> None:
        while self._work:
            self._idle.clear()
            await self._idle.wait()


class Work:
    """A request in progress, for a ``with``."""

    __slots__ = ("_drain", "_task")

    def __init__(self, drain: Drain) -> None:
        self._drain = drain

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "work is done by a task"
        self._task = task
        self._drain._work.add(task)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        drain = self._drain
        drain._work.discard(self._task)
        if not drain._work:
            drain._idle.set()
        if kind is asyncio.CancelledError and drain.is_cut:
            self._task.uncancel()
            raise Draining("this gateway shut down before the request was answered; send it to another one") from None
