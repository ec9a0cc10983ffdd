"""Calls of other servers that may be made again: after 429, 5xx or a lost connection, within the caller's deadline."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from reward_gateway.sample import Invalid

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0

RETRYABLE_STATUSES = frozenset({408, 409, 429, *range(500, 600)})
"""HTTP statuses after which a retry of the same request may succeed."""

A = TypeVar("A")


class TemporaryFailure(Exception):
    """A server gave no answer, but may later.

    Args:
        retryable: a retry may help.
        after_s: seconds from the server's ``Retry-After``; None without one.
        down: the server is failing, not only busy.
    """

    def __init__(
        self, reason: Invalid, *, retryable: bool = True, after_s: float | None = None, down: bool = True
    ) -> None:
        super().__init__(reason.message)
        self.reason = reason
        self.retryable = retryable
        self.after_s = after_s
        self.down = down


async def call_with_retries(
    call: Callable[[], Awaitable[A | Invalid]], retries: int, deadline: float | None
) -> A | Invalid:
    """Retry until there is an answer, the failure is permanent, or the attempts or the deadline run out.

    Args:
        call: raises TemporaryFailure if a retry may help.
        deadline: time on the loop's clock.
    """
    loop = asyncio.get_running_loop()
    failures = 0

    def pause_s(error: Exception) -> float | bool:
        """Seconds until the next attempt; False for none."""
        nonlocal failures
        if not isinstance(error, TemporaryFailure) or not error.retryable:
            return False
        pause = error.after_s if error.after_s is not None else _draw_pause_s(failures)
        failures += 1
        return False if deadline is not None and loop.time() + pause >= deadline else pause

    try:
        async for attempt in stamina.retry_context(pause_s, attempts=retries + 1, timeout=None):
            with attempt:
                return await call()
    except TemporaryFailure as error:
        return error.reason
    raise AssertionError("an attempt returns or raises")


def _draw_pause_s(attempt: int) -> float:
    """Exponential backoff with 50 % jitter, so that calls that failed together are not retried together."""
    whole = min(FIRST_PAUSE_S * 2.0**attempt, LONGEST_PAUSE_S)
    return whole * (0.5 + 0.5 * random.random())
