"""Equal samples in flight are computed once, across the requests of this process.

A request leads for the keys that nobody computes yet and follows for the others. What a leader found, or a reason
that lies in the sample, goes to its followers; a leader that failed, was late or went away leaves them to compute
for themselves. The bookkeeping is one entry a key and one future a request.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from reward_gateway.cache.port import Entry
from reward_gateway.sample import Invalid

Result = Entry | Invalid
Compute = Callable[[list[int]], Awaitable[Sequence[Result]]]
"""Given positions among the keys, their results in that order."""

LATE = Invalid("deadline_exceeded", "The deadline passed before the score was known.")


class Flight:
    """What one request computes: done once its results stand, or once it has given up."""

    __slots__ = ("done", "results")

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.results: dict[bytes, Result] = {}


class SingleFlight:
    """The keys that are being computed, and by which flight."""

    def __init__(self) -> None:
        self._flights: dict[bytes, Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def compute(self, keys: Sequence[bytes], compute: Compute, deadline: float) -> list[Result]:
        """Results of keys, which may repeat: each computed by this call or by another that is under way.

        Args:
            compute: is asked for the positions that this call leads; what it raises is raised here.
            deadline: a time of the loop's clock; a key that another request still computes then is
                ``deadline_exceeded``.
        """
        results: dict[bytes, Result] = {}
        wanted = list(dict.fromkeys(keys))
        first = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
        while wanted:
            followed = {key: flight for key in wanted if (flight := self._flights.get(key)) is not None}
            led = [key for key in wanted if key not in followed]
            if led:
                results.update(await self._lead(led, [first[key] for key in led], compute))
            wanted = []
            for flight in dict.fromkeys(followed.values()):
                await _wait(flight, deadline)
            for key, flight in followed.items():
                result = flight.results.get(key)
                if result is not None:
                    results[key] = result
                elif flight.done.done():
                    wanted.append(key)
                else:
                    results[key] = LATE
        return [results[key] for key in keys]

    async def _lead(self, keys: list[bytes], positions: list[int], compute: Compute) -> dict[bytes, Result]:
        flight = Flight()
        self._flights.update(dict.fromkeys(keys, flight))
        try:
            found = dict(zip(keys, await compute(positions), strict=True))
            flight.results = {key: result for key, result in found.items() if not _own(result)}
        finally:
            for key in keys:
                del self._flights[key]
            flight.done.set_result(None)
        return found


def _own(result: Result) -> bool:
    """True for a failure that lies in how this request was served, not in the sample."""
    return isinstance(result, Invalid) and (result.retryable or result.code == "internal_error")


async def _wait(flight: Flight, deadline: float) -> None:
    left = deadline - asyncio.get_running_loop().time()
    if left > 0 and not flight.done.done():
        await asyncio.wait([flight.done], timeout=left)
