"""Checks whether the two stores are reachable: the cache of scores, and the state store."""

import asyncio
import contextlib
from collections.abc import Mapping

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from reward_gateway.errors import StateUnavailable
from reward_gateway.observer import UNOBSERVED, Observer, StoreName
from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import connect
from reward_gateway.settings import Settings
from reward_gateway.state.epoch import LOST
from reward_gateway.state.store import StateStore
from reward_gateway.tasks import end_task, repeat

EVERY_S = 5.0
TIMEOUT_S = 1.0


class StoreWatch:
    """Checks both stores every few seconds, in the background, so that no request waits for the result.

    Args:
        urls: ``redis://`` addresses by store; empty for none.
        observer: notified of every result.
        state: asked whether its store has lost what it held; None: it is not asked.

    Attributes:
        reachable: the last result by store; a store not checked yet counts as reachable.
    """

    def __init__(
        self,
        addresses: Mapping[StoreName, RedisAddress | str | None],
        observer: Observer = UNOBSERVED,
        state: StateStore | None = None,
    ) -> None:
        self._state = state
        self.reachable: dict[StoreName, bool] = {name: True for name, address in addresses.items() if address}
        self._observer = observer
        self._clients = {
            name: connect(
                address,
                "state",
                socket_connect_timeout=TIMEOUT_S,
                socket_timeout=TIMEOUT_S,
                retry=Retry(NoBackoff(), 1),
            )
            for name, address in addresses.items()
            if address
        }
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, settings: Settings, observer: Observer = UNOBSERVED, state: StateStore | None = None) -> "StoreWatch":
        """Build for the stores in the settings."""
        return cls({"cache": settings.redis_address, "state": settings.state_address}, observer, state)

    def describe(self) -> dict[str, str]:
        """``ready``, ``away`` or ``lost`` by store."""
        found: dict[str, str] = {name: "ready" if reached else "away" for name, reached in self.reachable.items()}
        if self._state is not None and self._state.known_fault == LOST and found.get("state") == "ready":
            found["state"] = "lost"
        return found

    async def check_stores(self) -> None:
        """Check both stores now."""
        await asyncio.gather(*(self._check_store(name) for name in self._clients))

    async def _check_store(self, name: StoreName) -> None:
        try:
            await self._clients[name].ping()
            if name == "state" and self._state is not None:
                self._observer.state_checked(await _ask_twice(self._state))
            self.reachable[name] = True
        except (RedisError, OSError, StateUnavailable):
            self.reachable[name] = False
            if name == "state" and self._state is not None:
                self._state.mark_away()
        self._observer.store_checked(name, self.reachable[name])

    def start(self) -> None:
        """Start checking in the background."""
        if self._task is None:
            self._task = asyncio.create_task(repeat(self.check_stores, EVERY_S, "store-watch"), name="store-watch")

    async def close(self) -> None:
        await end_task(self._task)
        for client in self._clients.values():
            await client.aclose()


async def _ask_twice(state: StateStore) -> bool:
    """Whether the store has lost its state. The first question may end a connection to a server that was there before.

    Raises:
        StateUnavailable: the store answers neither.
    """
    with contextlib.suppress(StateUnavailable):
        return await state.is_lost()
    return await state.is_lost()
