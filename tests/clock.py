"""Time that a test moves, so that none of them waits for it or depends on how fast the machine is."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

LONGEST_WAIT_S = 120.0
"""For what must happen on a machine of any speed: only a fault takes longer."""


class Clock:
    """The clock of an event loop, which a test puts forward: timers that are due then fire in the next turn.

    The loop's own time goes on beneath, so that sockets, threads and processes work as ever. Give timers that must not
    fire by themselves an hour, and put the clock forward by more than that.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._real = loop.time
        self._ahead_s = 0.0

    def __enter__(self) -> "Clock":
        self._loop.time = self.now  # type: ignore[method-assign]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._loop.time  # the class has its own

    def now(self) -> float:
        """Seconds, as ``loop.time()`` says them."""
        return self._real() + self._ahead_s

    async def advance(self, seconds: float) -> None:
        """Let what has begun come to its timers, put the clock forward, and let what is due happen."""
        await turns()
        self._ahead_s += seconds
        await turns()

    async def advance_until(self, happened: Callable[[], object], seconds: float = 61.0) -> None:
        """Put the clock forward again and again, by some seconds each time, until it happened."""
        async with asyncio.timeout(100_000 * seconds):
            while not happened():
                await self.advance(seconds)
                await asyncio.sleep(0.002)


async def turns(times: int = 10) -> None:
    """Let the loop go round, so that what is ready runs as far as it can without waiting for the world."""
    for _ in range(times):
        await asyncio.sleep(0)


async def until(happened: Callable[[], object]) -> None:
    """Wait for what a server, a thread or a process does in its own time. Raises TimeoutError if it does not."""
    async with asyncio.timeout(LONGEST_WAIT_S):
        while not happened():
            await asyncio.sleep(0.002)


class Gate:
    """Where a stand-in waits, if it is shut, until the test opens it."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    async def passed(self, deadline: float) -> bool:
        """Wait at the gate; False if the deadline, on the running loop's clock, came first."""
        if self._open.is_set():
            await asyncio.sleep(0)
            return asyncio.get_running_loop().time() < deadline
        try:
            async with asyncio.timeout_at(deadline):
                await self._open.wait()
        except TimeoutError:
            return False
        return True


def finish_at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of what must not wait for anything, not even for a turn of the loop."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise AssertionError("it waited")


@contextmanager
def little_work(seconds: float) -> Iterator[None]:
    """Bounds the processor time of what a fault would make take minutes, whatever else the machine is doing."""
    before = time.process_time()
    yield
    assert time.process_time() - before < seconds
