"""Drain: how a gateway goes away without failing anybody.

Readiness flips first, so that balancers look elsewhere; new work is refused with a reason and a time to
retry; what is under way finishes, up to a limit.
"""

import asyncio

from reward_gateway.errors import Draining

from .admission import Admission


class Drain:
    """The switch of one process. It goes one way."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._begun = False

    @property
    def draining(self) -> bool:
        return self._begun

    def begin(self) -> None:
        """From now on: not ready, and no new work."""
        self._begun = True

    def check_accepting(self) -> None:
        """Let a new request in, or raise Draining."""
        if self._begun:
            raise Draining("this gateway is shutting down; send the request to another one")

    async def wait_finished(self, timeout_s: float) -> bool:
        """Wait for the requests under way. True if all of them finished, False if time ran out."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._admission.wait_idle()
        except TimeoutError:
            return False
        return True
