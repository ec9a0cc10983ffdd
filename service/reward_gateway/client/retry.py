"""The deadline of a call, and which failures are retried.

Every call carries an idempotency key or changes nothing, so a retry counts once. A call is retried if there was no
connection, if the connection broke or a proxy gave up before the response, and if the service refused it temporarily.
``Retry-After`` is honoured: no retry comes earlier, and retries spread over half as long again. No retry starts after
the deadline of the whole call.
"""

import random
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from reward_gateway.errors import GatewayError, is_temporary

T = TypeVar("T")

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


def new_idempotency_key() -> str:
    """A random key for one logical call, kept over its retries."""
    return uuid.uuid4().hex


class RetryBudget:
    """The time of one call.

    Args:
        timeout_s: seconds for all attempts together.
    """

    def __init__(self, timeout_s: float) -> None:
        self._end = time.monotonic() + timeout_s
        self._failures = 0

    def left_s(self) -> float:
        """Seconds left, at least 1 ms, so that a last attempt fails with its own timeout."""
        return max(self._end - time.monotonic(), 1e-3)

    def pause_s(self, error: Exception) -> float | bool:
        """Seconds to wait before the next attempt; False: there is none, and ``error`` is the outcome of the call."""
        if not isinstance(error, GatewayError) or not is_temporary(type(error)):
            return False
        # Clients that failed together do not come back together, and none before the time that it was told.
        if error.retry_after_s is None:
            wait = min(_FIRST_PAUSE_S * 2.0**self._failures, _LONGEST_PAUSE_S) * (0.75 + random.random() / 2)
        else:
            wait = error.retry_after_s * (1.0 + random.random() / 2)
        self._failures += 1
        return False if time.monotonic() + wait >= self._end else wait


def call_with_retries(attempt: Callable[[float], T], timeout_s: float) -> T:
    """The answer of ``attempt``, which is given the seconds that are left. Raises the last GatewayError."""
    budget = RetryBudget(timeout_s)
    for trial in stamina.retry_context(budget.pause_s, attempts=None, timeout=None):
        with trial:
            return attempt(budget.left_s())
    raise GatewayError("no attempt was made")


async def await_with_retries(attempt: Callable[[float], Awaitable[T]], timeout_s: float) -> T:
    """As :func:`call_with_retries`, awaited."""
    budget = RetryBudget(timeout_s)
    async for trial in stamina.retry_context(budget.pause_s, attempts=None, timeout=None):
        with trial:
            return await attempt(budget.left_s())
    raise GatewayError("no attempt was made")
