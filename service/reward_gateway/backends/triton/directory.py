"""The directory of a server's models: a snapshot shared by every lookup and renewed every few seconds.

A snapshot that has just expired is still used while a new one is fetched, so that no request waits for it under load.
While the server is unreachable, the last snapshot stays, with every model marked as not ready.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from reward_gateway.backends.triton.model_config import TritonModel
from reward_gateway.errors import ModelUnavailable

RETRY_S = 1.0
"""Time until a server that did not answer is asked again."""

Models = Mapping[str, TritonModel]


class Directory:
    """The models of one server.

    Args:
        fetch: fetches the models from the server. Raises ModelUnavailable.
        ttl_s: age at which a snapshot is renewed; at twice that age it is no longer used.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Models]], ttl_s: float) -> None:
        self._fetch = fetch
        self._ttl_s = ttl_s
        self._models: Models | None = None
        self._renewed_at = 0.0
        self._renewal: asyncio.Task[None] | None = None
        self._fault: ModelUnavailable | None = None

    async def models(self) -> Models:
        """Every model of the last snapshot. Raises ModelUnavailable if there has never been one."""
        age = asyncio.get_running_loop().time() - self._renewed_at
        if self._models is None or age > 2 * self._ttl_s:
            await self.renew()
        elif age > self._ttl_s:
            self._start_renewal()
        if self._models is None:
            raise self._fault or ModelUnavailable("The model server does not answer.")
        return self._models

    def latest_models(self) -> Models:
        """Every model of the last snapshot, whatever its age; none if there has never been one. Renewed meanwhile."""
        if self._models is None or asyncio.get_running_loop().time() - self._renewed_at > self._ttl_s:
            self._start_renewal()
        return self._models or {}

    async def fetch_models(self) -> Models:
        """Every model, freshly fetched from the server. Raises ModelUnavailable."""
        await self.renew()
        if self._models is None or self._fault is not None:
            raise self._fault or ModelUnavailable("The model server does not answer.")
        return self._models

    async def renew(self) -> None:
        """Fetch the models; concurrent callers share one fetch."""
        # Shielded: one cancelled caller must not cancel the fetch of the others.
        await asyncio.shield(self._start_renewal())

    def expire(self) -> None:
        """Fetch again before the next use, because an answer did not match the snapshot."""
        self._renewed_at = -2 * self._ttl_s

    def mark_away(self) -> None:
        """None of the models is ready until they have been fetched again, which they are before the next use."""
        if self._models is not None:
            self._models = {name: model.with_ready(False) for name, model in self._models.items()}
        self.expire()

    async def close(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    def _start_renewal(self) -> "asyncio.Task[None]":
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.get_running_loop().create_task(self._fetch_and_store())
        return self._renewal

    async def _fetch_and_store(self) -> None:
        age = 0.0
        try:
            models = await self._fetch()
        except ModelUnavailable as fault:
            age = max(0.0, self._ttl_s - RETRY_S)
            self._fault = fault
            if self._models is not None:
                self._models = {name: model.with_ready(False) for name, model in self._models.items()}
        else:
            known = self._models or {}
            # A model that is being reloaded has no configuration for a moment; keep the previous one.
            self._models = {
                name: known[name].with_ready(False) if not model.read and name in known else model
                for name, model in models.items()
            }
            self._fault = None
        self._renewed_at = asyncio.get_running_loop().time() - age
