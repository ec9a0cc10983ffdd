"""Background writes: one pipeline at a time, in a bounded queue that drops what exceeds the bound."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from reward_gateway.cache.port import Entry

PIPELINE = 512
"""Entries per pipeline; between two pipelines the event loop serves requests."""

Item = tuple[bytes, Entry]


class Writer:
    """A queue of entries to write.

    Args:
        write: stores some entries; must not raise.
        max_bytes: maximum size of the queue, keys included.
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
            self._task = asyncio.get_running_loop().create_task(self._write_waiting())
        return True

    async def close(self, wait_s: float) -> None:
        """Write what is queued, for at most ``wait_s`` seconds."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=wait_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _write_waiting(self) -> None:
        while self._waiting:
            items: list[Item] = []
            while self._waiting and len(items) < PIPELINE:
                group, size = self._waiting.popleft()
                items.extend(group)
                self._bytes -= size
            for start in range(0, len(items), PIPELINE):
                await asyncio.sleep(0)
                await self._write(items[start : start + PIPELINE])
