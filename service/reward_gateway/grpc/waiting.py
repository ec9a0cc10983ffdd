"""Waits that end with the gateway."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from reward_gateway.errors import Draining
from reward_gateway.traffic.drain import Drain

T = TypeVar("T")


async def unless_draining(drain: Drain, work: Coroutine[Any, Any, T]) -> T:
    """What comes of a wait.

    Raises:
        Draining: the gateway begins to shut down.
    """
    waiting, begun = asyncio.ensure_future(work), asyncio.ensure_future(drain.wait_begun())
    try:
        await asyncio.wait({waiting, begun}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        raise Draining("this gateway is shutting down; go on with another one")
    finally:
        waiting.cancel()
        begun.cancel()
