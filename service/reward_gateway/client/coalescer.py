"""Coalesces concurrent single calls into batched requests.

Trainers request thousands of rewards one by one, concurrently. Calls with the same recipe, options, timeout and step
in one iteration of the event loop are sent as one request of bounded size; while the maximum number of requests is in
flight, further calls queue. An error that names one sample fails that sample alone; the others are sent again.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from reward_gateway.errors import GatewayError, RequestError

from .scores import SampleScore

LARGEST = 512
"""Maximum samples of one request."""

IN_FLIGHT = 8
"""Maximum requests in flight."""

_NAMED = re.compile(r"^samples\[(\d+)\]")
Send = Callable[[dict[str, Any], float | None, int | None], AsyncIterator[tuple[int, SampleScore]]]
"""Sends a body; gives the places of its samples, and their scores, as they come."""


@dataclass(slots=True)
class _Waiting:
    sample: dict[str, Any]
    answer: asyncio.Future[SampleScore]


@dataclass(slots=True)
class _Queue:
    """Samples that wait to be sent with the same recipe, options, timeout and step."""

    terms: dict[str, Any]
    timeout_s: float | None
    step: int | None
    waiting: list[_Waiting] = field(default_factory=list)


class Coalescer:
    """Gathers single calls for ``send``, of which at most so many are in flight."""

    def __init__(self, send: Send, in_flight: int = IN_FLIGHT) -> None:
        self._send = send
        self._queues: dict[bytes, _Queue] = {}
        self._slots = asyncio.Semaphore(in_flight)
        self._tasks: set[asyncio.Task[None]] = set()

    async def score_one(self, body: dict[str, Any], timeout_s: float | None, step: int | None = None) -> SampleScore:
        """The answer to a body of one sample."""
        (sample,) = body["samples"]
        terms = {name: value for name, value in body.items() if name != "samples"}
        key = msgspec.json.encode([terms, timeout_s, step])
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(terms, timeout_s, step)
            self._start_task(self._drain_queue(key, queue))
        waiting = _Waiting(sample, asyncio.get_running_loop().create_future())
        queue.waiting.append(waiting)
        return await waiting.answer

    def _start_task(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain_queue(self, key: bytes, queue: _Queue) -> None:
        """Send the waiting samples, one request at a time, until the queue is empty."""
        while True:
            await self._slots.acquire()
            batch = [waiting for waiting in queue.waiting[:LARGEST] if not waiting.answer.done()]
            del queue.waiting[:LARGEST]
            if batch:
                self._start_task(self._answer_batch(batch, queue))
            else:
                self._slots.release()
            if not queue.waiting:
                del self._queues[key]
                return

    async def _answer_batch(self, batch: Sequence[_Waiting], queue: _Queue) -> None:
        try:
            unanswered = list(batch)
            while unanswered:
                unanswered = await self._send_once(unanswered, queue)
        finally:
            self._slots.release()

    async def _send_once(self, batch: list[_Waiting], queue: _Queue) -> list[_Waiting]:
        """Send one request; returns the samples to send again."""
        body = {"samples": [waiting.sample for waiting in batch], **queue.terms}
        try:
            async for i, score in self._send(body, queue.timeout_s, queue.step):
                if not batch[i].answer.done():
                    batch[i].answer.set_result(score)
        except RequestError as error:
            match = _NAMED.match(error.param or "")
            if match is None or int(match[1]) >= len(batch):
                _fail_all(batch, error)
                return []
            _fail_all([batch.pop(int(match[1]))], error)
            return [waiting for waiting in batch if not waiting.answer.done()]
        except Exception as error:
            _fail_all(batch, error)
        return []


def _fail_all(batch: Sequence[_Waiting], error: Exception) -> None:
    """Give each caller its own copy of the exception, because each raises it separately."""
    for waiting in batch:
        if waiting.answer.done():
            continue
        copy = type(error)(*error.args)
        if isinstance(copy, GatewayError) and isinstance(error, GatewayError):
            copy.param, copy.retry_after_s = _NAMED.sub("samples[0]", error.param or "") or None, error.retry_after_s
            copy.code = error.code  # type: ignore[misc]
        waiting.answer.set_exception(copy)
