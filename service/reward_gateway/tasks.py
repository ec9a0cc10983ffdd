"""Background tasks: how one goes on whatever happens, and how it is ended for good."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

log = structlog.get_logger(__name__)

AGAIN_S = 0.1
"""Time after which a task that goes on although it was cancelled is cancelled once more."""


async def repeat(step: Callable[[], Awaitable[None]], every_s: float, what: str) -> None:
    """Take a step now and again every few seconds, for ever. What one raises is logged, and the next is taken."""
    while True:
        try:
            await step()
        except Exception as error:
            log.error("background step failed", what=what, once_per=what, exc_info=error)
        await asyncio.sleep(every_s)


async def end_task(task: asyncio.Task[Any] | None) -> None:
    """Cancel a task and wait until it has ended, whatever it ends with; None is no task.

    A cancellation that arrives while redis-py opens a connection is lost: the task goes on as if nothing had happened,
    and whoever awaits it waits for ever. So it is cancelled until it ends.
    """
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_S)
    if task is not None and not task.cancelled():
        task.exception()  # looked at, so that it is not reported as never retrieved
