"""A number of places that run programs at the same time, shared fairly by requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reward_gateway.fair_queue import FairQueue, Share


class FairSlots:
    """Places that those who wait get in turn: next is whose share was served least.

    Args:
        count: places.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()

    @asynccontextmanager
    async def hold(self, share: Share) -> AsyncIterator[None]:
        """Hold a place, once it is this share's turn. The time that it is held counts against the share."""
        loop = asyncio.get_running_loop()
        if self._free and not self._queue:
            self._free -= 1
        else:
            await self._wait(share, loop.create_future())
        begun = loop.time()
        try:
            yield
        finally:
            if self._queue:
                self._queue.charge(share, loop.time() - begun)
            self._release()

    async def _wait(self, share: Share, turn: "asyncio.Future[None]") -> None:
        self._queue.append(share, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # given just as the caller left: pass it on
                self._release()
            self._queue.discard(share, turn)
            raise

    def _release(self) -> None:
        while self._queue:
            turn = self._queue.take()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
