"""Draining: how a gateway shuts down without failing requests.

Readiness turns off first, so that load balancers send requests elsewhere; new requests are rejected with a reason and
a time to retry; requests in flight finish, up to a time limit.
"""

import asyncio

from reward_gateway.errors import Draining

from .admission import Admission


class Drain:
    """The drain switch of one process. It cannot be undone."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._begun = False

    @property
    def draining(self) -> bool:
        return self._begun

    def begin(self) -> None:
        """Stop being ready and accepting requests."""
        self._begun = True

    def check_accepting(self) -> None:
        """Raise Draining if the gateway no longer accepts requests."""
        if self._begun:
            raise Draining("this gateway is shutting down; send the request to another one")

    async def wait_finished(self, timeout_s: float) -> bool:
        """Wait for the requests in flight. True if all finished, False if the time ran out."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._admission.wait_idle()
        except TimeoutError:
            return False
        return True
