"""How long a call goes on, and after which failures it is tried again.

Only where the service has surely not answered in part: there was no connection, or it refused the request
and said when to come back. A connection that broke halfway is not tried again, because a recipe may keep
state. Never past the deadline.
"""

import random
import time

from reward_gateway.errors import GatewayError

from .failures import Unreachable

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


class RetryBudget:
    """The time of one call.

    Args:
        timeout_s: seconds for all attempts together.
    """

    def __init__(self, timeout_s: float) -> None:
        self._end = time.monotonic() + timeout_s
        self._attempts = 0

    def left_s(self) -> float:
        """Seconds left; a little where none are, so that a last attempt fails by itself."""
        return max(self._end - time.monotonic(), 1e-3)

    def pause_s(self, error: GatewayError) -> float:
        """How long to wait before the next attempt. Raises ``error`` where there is none."""
        if isinstance(error, Unreachable):
            wait: float = min(_FIRST_PAUSE_S * 2**self._attempts, _LONGEST_PAUSE_S)
        elif error.status in (429, 503) and error.retry_after_s is not None:
            wait = error.retry_after_s
        else:
            raise error
        wait *= 0.75 + random.random() / 2  # clients that failed together do not come back together
        if time.monotonic() + wait >= self._end:
            raise error
        self._attempts += 1
        return wait
