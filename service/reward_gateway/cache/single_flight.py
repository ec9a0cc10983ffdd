"""Equal samples in flight are computed once, across the requests of this process.

A request leads for the keys that no other request is computing, and follows for the rest. A leader's scores, and its
reasons that lie in the sample, are shared with its followers; if a leader fails, is late or is cancelled, they compute
the keys themselves. The bookkeeping is one entry per key and one future per request.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from reward_gateway.cache.port import Entry
from reward_gateway.sample import Invalid

Result = Entry | Invalid
Compute = Callable[[list[int]], Awaitable[Sequence[Result]]]
"""Takes positions among the keys and returns their results in that order."""

LATE = Invalid("deadline_exceeded", "The deadline passed before the score was known.")


class Flight:
    """What one request computes: done once its results are known, or once it has given up."""

    __slots__ = ("_computed", "_results", "done")

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._computed: tuple[Sequence[bytes], Sequence[Result]] = (), ()
        self._results: dict[bytes, Result] | None = None

    def finish(self, keys: Sequence[bytes], results: Sequence[Result]) -> None:
        """Say what was computed: a result per key."""
        self._computed, self._results = (keys, results), None

    def find(self, key: bytes) -> Result | None:
        """What a follower takes over; most requests have none, so that nothing is made ready before one asks."""
        if self._results is None:
            computed = zip(*self._computed, strict=True)
            self._results = {key: result for key, result in computed if not _is_request_failure(result)}
        return self._results.get(key)


class SingleFlight:
    """The keys that are being computed, each with its flight."""

    def __init__(self) -> None:
        self._flights: dict[bytes, Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def compute_results(self, keys: Sequence[bytes], compute: Compute, deadline: float) -> list[Result]:
        """Results of keys, which may repeat: each computed by this call or by another one in flight.

        Args:
            compute: called with the positions that this call leads; what it raises is raised here.
            deadline: a time of the loop's clock; a key that another request is still computing then becomes
                ``deadline_exceeded``.
        """
        remaining = list(dict.fromkeys(keys))
        if len(remaining) == len(keys) and self._flights.keys().isdisjoint(remaining):  # nothing to share
            return list(await self._compute_led(remaining, list(range(len(keys))), compute))
        results: dict[bytes, Result] = {}
        first_position = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
        while remaining:
            followed = {key: flight for key in remaining if (flight := self._flights.get(key)) is not None}
            led = [key for key in remaining if key not in followed]
            if led:
                computed = await self._compute_led(led, [first_position[key] for key in led], compute)
                results.update(zip(led, computed, strict=True))
            remaining = []
            for flight in dict.fromkeys(followed.values()):
                await _wait_for_flight(flight, deadline)
            for key, flight in followed.items():
                result = flight.find(key)
                if result is not None:
                    results[key] = result
                elif flight.done.done():
                    remaining.append(key)
                else:
                    results[key] = LATE
        return [results[key] for key in keys]

    async def _compute_led(self, keys: list[bytes], positions: list[int], compute: Compute) -> Sequence[Result]:
        flight = Flight()
        self._flights.update(dict.fromkeys(keys, flight))
        try:
            computed = await compute(positions)
            flight.finish(keys, computed)
        finally:
            for key in keys:
                del self._flights[key]
            flight.done.set_result(None)
        return computed


def _is_request_failure(result: Result) -> bool:
    """True for a failure that was caused by serving this request, not by the sample."""
    return isinstance(result, Invalid) and (result.retryable or result.code == "internal_error")


async def _wait_for_flight(flight: Flight, deadline: float) -> None:
    left = deadline - asyncio.get_running_loop().time()
    if left > 0 and not flight.done.done():
        await asyncio.wait([flight.done], timeout=left)
