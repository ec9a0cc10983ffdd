"""A piece that a worker has taken: its lease is renewed while it is scored, and given up while it only waits."""

import asyncio
import contextlib
from typing import Any

from reward_gateway.errors import StateUnavailable
from reward_gateway.state.jobs import JobStore, TakenPiece

LEASE_S = 15.0
"""Seconds after which the piece of a worker that died is scored by another; a lease is renewed three times in it."""

AWAY_S = 2.0
"""Seconds after which a store that could not be reached is asked again."""

PARKED_MARGIN_S = 5.0
"""Seconds that a parked piece has to be recorded after its wait, until another worker takes it."""


class Lease:
    """One piece under lease; a place of the runner, which it gives up while its samples wait for others."""

    def __init__(self, store: JobStore, taken: TakenPiece, worker: str) -> None:
        self.taken = taken
        self.parked = asyncio.Event()
        self._store = store
        self._worker = worker
        self._parked_s = 0.0

    def park(self, seconds: float) -> None:
        """Give up the place, as :class:`reward_gateway.parking.Parkable`."""
        self._parked_s = seconds
        self.parked.set()

    async def keep(self, work: asyncio.Task[Any]) -> None:
        """Renew the lease until the piece is parked; cancel the work if it is lost."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEASE_S / 3):
                    await self.parked.wait()
            with contextlib.suppress(StateUnavailable):
                if self.parked.is_set():
                    await self._store.park(self.taken, self._parked_s + PARKED_MARGIN_S)
                    return
                if not await self._store.renew(self.taken, self._worker):
                    work.cancel()
                    return
            if self.parked.is_set():
                await asyncio.sleep(AWAY_S)

    async def release(self) -> None:
        """Let another worker take the piece at once."""
        with contextlib.suppress(StateUnavailable):
            await self._store.release(self.taken, self._worker)
