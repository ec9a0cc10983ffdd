"""Concurrent lookups are merged into one MGET, so that many one-sample requests are cheap."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

IN_FLIGHT = 4
"""Maximum MGETs in flight; lookups that arrive meanwhile are merged into the next one."""

Value = bytes | None
Fetch = Callable[[Sequence[bytes]], Awaitable[list[Value]]]


class Lookups:
    """A queue of lookups in front of a store.

    Args:
        fetch: looks up many keys. An exception that it raises is raised to every caller whose keys were among them.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._waiting: list[tuple[Sequence[bytes], asyncio.Future[list[Value]]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduled = False

    async def get(self, keys: Sequence[bytes]) -> list[Value]:
        """Values in the order of the keys, None for a missing one."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Value]] = loop.create_future()
        self._waiting.append((keys, answer))
        self._schedule_send()
        return await answer

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _schedule_send(self) -> None:
        if not self._scheduled and len(self._tasks) < IN_FLIGHT:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._send_waiting)

    def _send_waiting(self) -> None:
        self._scheduled = False
        waiting = [(keys, answer) for keys, answer in self._waiting if not answer.done()]
        self._waiting.clear()
        if waiting:
            task = asyncio.get_running_loop().create_task(self._answer_waiting(waiting))
            self._tasks.add(task)
            task.add_done_callback(self._forget_task)

    def _forget_task(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if self._waiting:
            self._schedule_send()

    async def _answer_waiting(self, waiting: Sequence[tuple[Sequence[bytes], "asyncio.Future[list[Value]]"]]) -> None:
        try:
            all_keys = waiting[0][0] if len(waiting) == 1 else [key for keys, _ in waiting for key in keys]
            values = await self._fetch(all_keys)
        except Exception as error:
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        start = 0
        for keys, answer in waiting:
            if not answer.done():
                answer.set_result(values[start : start + len(keys)])
            start += len(keys)
