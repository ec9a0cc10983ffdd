"""Requests that are scored in several parts: what the parts change is written at once, or nothing of it is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from reward_gateway.errors import GatewayError
from reward_gateway.scoring.attempts import Attempt
from reward_gateway.scoring.services import PendingCommit, ScoringServices
from reward_gateway.state.writes import StateWrites

T = TypeVar("T")


class JointCommit(Generic[T]):
    """The parts of one request, scored at the same time.

    A part that is about to write waits in :meth:`commit` until every other part waits too or has ended. Then ``check``
    decides, and what all of them write goes out as one commit.

    Args:
        check: called before anything is written; raises GatewayError where the request cannot be answered, and every
            part that waits fails with it.
    """

    def __init__(self, runtime: ScoringServices, check: Callable[[], None]) -> None:
        self._runtime = runtime
        self._check = check
        self._running = 0
        self._waiting: list[tuple[PendingCommit, asyncio.Future[None]]] = []

    async def run(self, parts: Sequence[Awaitable[T]]) -> list[T | GatewayError]:
        """The result of each part, or the error it failed with. A part commits through :meth:`commit`.

        Raises:
            Exception: a part failed with anything but a GatewayError; the others are cancelled.
        """
        self._running = len(parts)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._run_part(part)) for part in parts]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _run_part(self, part: Awaitable[T]) -> T | GatewayError:
        result: T | GatewayError
        try:
            result = await part
        except GatewayError as error:
            result = error
        self._running -= 1
        await self._commit_waiting()
        return result

    async def commit(
        self, writes: StateWrites, attempt: Attempt | None = None, answer: bytes = b"", *, complete: bool = True
    ) -> None:
        """As :meth:`.ScoringServices.commit`, together with the other parts. Raises what ``check`` raises too."""
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((PendingCommit(writes, attempt, answer, complete), written))
        await self._commit_waiting()
        await written

    async def _commit_waiting(self) -> None:
        """Commit, once nobody else is at work. A part that lost its lease runs again, and waits here again."""
        if not self._waiting or len(self._waiting) < self._running:
            return
        waiting, self._waiting = self._waiting, []
        try:
            self._check()
            await self._runtime.commit_together([pending for pending, _ in waiting])
        except Exception as error:
            for _, written in waiting:
                if not written.done():
                    written.set_exception(error)
        else:
            for _, written in waiting:
                if not written.done():
                    written.set_result(None)
