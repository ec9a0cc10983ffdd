"""Writes wait their turn behind the answers: one at a time in the background, bounded, and dropped beyond the bound."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from reward_gateway.cache.port import Entry

PIPELINE = 512
"""Entries of one pipeline; between two of them the event loop sees to the requests."""

Item = tuple[bytes, Entry]


class Writer:
    """A queue of entries to be stored.

    Args:
        write: stores some entries; raises nothing.
        max_bytes: what may wait, keys included.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Awaitable[None]], max_bytes: int) -> None:
        self._write = write
        self._max_bytes = max_bytes
        self._bytes = 0
        self._waiting: deque[tuple[Sequence[Item], int]] = deque()
        self._task: asyncio.Task[None] | None = None

    def put(self, items: Sequence[Item]) -> bool:
        """Queue entries; False if there is no room for them."""
        size = sum([len(key) + len(entry.values) for key, entry in items])
        if self._bytes + size > self._max_bytes:
            return False
        self._bytes += size
        self._waiting.append((items, size))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        return True

    async def close(self, wait_s: float) -> None:
        """Finish what waits, for at most so long."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=wait_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._waiting:
            items: list[Item] = []
            while self._waiting and len(items) < PIPELINE:
                more, size = self._waiting.popleft()
                items.extend(more)
                self._bytes -= size
            for at in range(0, len(items), PIPELINE):
                await asyncio.sleep(0)
                await self._write(items[at : at + PIPELINE])
