"""One consumer of a run's queue over gRPC: results out, receipts in.

So many results are under way as the consumer asked for; what it acknowledges makes room for more.
"""

import asyncio
from typing import Any

import grpc
import orjson

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.run_name import agree_on_run
from reward_gateway.jobs.checks import DEFAULT_VISIBILITY_S, LARGEST_RESULTS, check_consumer, check_number
from reward_gateway.jobs.service import LONGEST_WAIT_S, JobService
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.state.jobs import LONGEST_VISIBILITY_S
from reward_gateway.traffic.drain import Drain

from .calls import Call, parse
from .job_messages import make_queued

LARGE_PAGE = 64
"""Results that are written in a thread."""

ROOM_S = 1.0
"""Seconds after which one who waits for room looks again: results that were not acknowledged in time make some, too."""


class RunResults:
    """One call of ``RunResults``."""

    def __init__(self, jobs: JobService, drain: Drain, call: Call) -> None:
        self._jobs = jobs
        self._drain = drain
        self._call = call
        self._run = ""
        self._under_way: dict[str, tuple[int, float]] = {}
        """Receipt -> rows, and the time on the loop's clock until which they are this consumer's."""
        self._room = asyncio.Event()
        self._writing = asyncio.Lock()
        self._receiving = False

    async def answer(self) -> None:
        """Answer until the consumer has sent all, or was sent what it asked for once.

        Raises:
            GatewayError: a message at fault, a store that is away, a gateway that shuts down.
        """
        first = await self._receive()
        if first is None:
            return
        if not first.run:
            raise InvalidRequest("run: missing field", param="run")
        self._run = agree_on_run([first.run])
        await self._remove(first)
        if not first.HasField("max"):
            await self._follow(self._rest())
        elif first.HasField("wait_s"):
            wait_s = check_number("wait_s", first.wait_s, 0.0, LONGEST_WAIT_S)
            await self._write(await self._take(first, _most(first), wait_s))
        else:
            await self._follow(self._rest(), self._send(first))

    async def _follow(self, *work: Any) -> None:
        """Do all at once until one is done, or the gateway shuts down."""
        tasks = [asyncio.ensure_future(each) for each in work]
        begun = asyncio.ensure_future(self._drain.wait_begun())
        try:
            done, _ = await asyncio.wait({*tasks, begun}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {begun}:
                task.result()
            if not done - {begun}:
                self._drain.check_accepting()
        finally:
            begun.cancel()
            async with self._writing:  # half a message would spoil the status
                for task in tasks:
                    if task is not tasks[0] or not self._receiving:  # a receive under way ends with the call
                        task.cancel()

    async def _rest(self) -> None:
        """Take what the consumer acknowledges, until it has sent all."""
        while (message := await self._receive()) is not None:
            await self._remove(message)

    async def _receive(self) -> pb.RunResultsRequest | None:
        self._receiving = True
        try:
            raw = await self._call.context.read()
        except grpc.aio.BaseError:
            return None  # the call is over
        finally:
            self._receiving = False
        return parse(pb.RunResultsRequest, raw) if isinstance(raw, bytes) else None

    async def _remove(self, message: pb.RunResultsRequest) -> None:
        """Acknowledge, or empty, and say how many deliveries were there."""
        if not (message.receipts or message.empty):
            return
        removed = 0
        if message.receipts:
            removed += (await self._jobs.acknowledge(self._call.scope, self._run, list(message.receipts)))["removed"]
            for receipt in message.receipts:
                self._under_way.pop(receipt, None)
        if message.empty:
            removed += (await self._jobs.empty(self._call.scope, self._run))["removed"]
            self._under_way.clear()
        self._room.set()
        await self._write(pb.RunResultsResponse(removed=removed))

    async def _send(self, first: pb.RunResultsRequest) -> None:
        """Send results as they come, while there is room for more."""
        most, clock = _most(first), asyncio.get_running_loop().time
        while True:
            self._room.clear()
            self._under_way = {name: held for name, held in self._under_way.items() if held[1] > clock()}
            room = most - sum(rows for rows, _ in self._under_way.values())
            if room > 0:
                await self._write(await self._take(first, room, LONGEST_WAIT_S))
            else:
                try:
                    async with asyncio.timeout(ROOM_S):
                        await self._room.wait()
                except TimeoutError:
                    continue

    async def _take(self, first: pb.RunResultsRequest, most: int, wait_s: float) -> pb.RunResultsResponse:
        consumer = check_consumer(first.consumer or "consumer")
        visibility_s = DEFAULT_VISIBILITY_S
        if first.HasField("visibility_s"):
            visibility_s = check_number("visibility_s", first.visibility_s, 1.0, LONGEST_VISIBILITY_S)
        until = asyncio.get_running_loop().time() + visibility_s
        taking = self._jobs.take_results(self._call.scope, self._run, consumer, most, visibility_s, wait_s)
        rows: list[dict[str, Any]] = []
        for delivery in await self._drain.unless_begun(taking):
            results = orjson.loads(delivery.results)
            self._under_way[delivery.receipt] = len(results), until
            rows += [{**row, "receipt": delivery.receipt} for row in results]
        return await asyncio.to_thread(make_queued, rows) if len(rows) > LARGE_PAGE else make_queued(rows)

    async def _write(self, message: pb.RunResultsResponse) -> None:
        async with self._writing:
            await self._call.context.write(message.SerializeToString())


def _most(first: pb.RunResultsRequest) -> int:
    return int(check_number("max", first.max, 1, LARGEST_RESULTS))
