"""Lookups that wait in the same moment go out as one MGET, so that a storm of one-sample requests is cheap."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

IN_FLIGHT = 4
"""MGETs on their way at once; what comes meanwhile goes together."""

Value = bytes | None
Fetch = Callable[[Sequence[bytes]], Awaitable[list[Value]]]


class Lookups:
    """The queue before a store.

    Args:
        fetch: looks up many keys. What it raises is raised to everyone whose keys were among them.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._waiting: list[tuple[Sequence[bytes], asyncio.Future[list[Value]]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduled = False

    async def get(self, keys: Sequence[bytes]) -> list[Value]:
        """Values in the order of the keys."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Value]] = loop.create_future()
        self._waiting.append((keys, answer))
        self._schedule()
        return await answer

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _schedule(self) -> None:
        if not self._scheduled and len(self._tasks) < IN_FLIGHT:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._scheduled = False
        waiting = [(keys, answer) for keys, answer in self._waiting if not answer.done()]
        self._waiting.clear()
        if waiting:
            task = asyncio.get_running_loop().create_task(self._run(waiting))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if self._waiting:
            self._schedule()

    async def _run(self, waiting: Sequence[tuple[Sequence[bytes], "asyncio.Future[list[Value]]"]]) -> None:
        try:
            together = waiting[0][0] if len(waiting) == 1 else [key for keys, _ in waiting for key in keys]
            values = await self._fetch(together)
        except Exception as error:
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        at = 0
        for keys, answer in waiting:
            if not answer.done():
                answer.set_result(values[at : at + len(keys)])
            at += len(keys)
