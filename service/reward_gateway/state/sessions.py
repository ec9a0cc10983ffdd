"""Sessions of clients that ask in several requests: a bounded number for each tenant, readable by any worker.

A session that nobody has touched for its time to live is over.
"""

import asyncio
import json
from copy import copy
from typing import Any, Literal, Self

from .namespace import NO_NAMESPACE, Namespace
from .redis_store import RedisVersionedStore

Opened = Literal["opened", "exists", "full"]
"""Whether a session was opened; if not: there is one of this name, or the tenant has as many as it may."""


class LocalSessions:
    """Implements :class:`.port.SessionStore` in this process."""

    def __init__(self) -> None:
        self._space = NO_NAMESPACE
        self._tenants: dict[str, dict[str, tuple[float, str]]] = {}

    def within(self, space: Namespace) -> Self:
        """The store as a namespace sees it."""
        view = copy(self)
        view._space = space
        return view

    async def open(self, name: str, value: Any, ttl_s: float, most: int) -> Opened:
        held = self._drop_expired()
        if name in held:
            return "exists"
        if len(held) >= most:
            return "full"
        held[name] = self._now() + ttl_s, json.dumps(value)
        return "opened"

    async def read(self, name: str) -> Any:
        end, text = self._tenants.get(self._space.tenant, {}).get(name, (0.0, "null"))
        return json.loads(text) if end > self._now() else None

    async def replace(self, name: str, value: Any, ttl_s: float) -> bool:
        held = self._drop_expired()
        if name not in held:
            return False
        held[name] = self._now() + ttl_s, json.dumps(value)
        return True

    async def touch(self, name: str, ttl_s: float) -> bool:
        held = self._drop_expired()
        if name not in held:
            return False
        held[name] = self._now() + ttl_s, held[name][1]
        return True

    async def close(self, name: str) -> bool:
        return self._drop_expired().pop(name, None) is not None

    def _drop_expired(self) -> dict[str, tuple[float, str]]:
        """The open sessions of the tenant."""
        held = self._tenants.setdefault(self._space.tenant, {})
        now = self._now()
        for name in [name for name, (end, _) in held.items() if end <= now]:
            del held[name]
        return held

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class RedisSessions(RedisVersionedStore):
    """Implements :class:`.port.SessionStore` in Redis: a JSON text per session, and the times at which they end."""

    kind = "sessions"

    async def open(self, name: str, value: Any, ttl_s: float, most: int) -> Opened:
        arguments = [name, json.dumps(value), _milliseconds(ttl_s), most]
        answer: bytes = await self.run_script("open_session", self._list_session_keys(name), arguments)
        return answer.decode()  # type: ignore[return-value]

    async def read(self, name: str) -> Any:
        (text,) = await self.read_commands(("GET", self._list_session_keys(name)[0]))
        return None if text is None else json.loads(text)

    async def replace(self, name: str, value: Any, ttl_s: float) -> bool:
        arguments = [name, json.dumps(value), _milliseconds(ttl_s)]
        return bool(await self.run_script("replace_session", self._list_session_keys(name), arguments))

    async def touch(self, name: str, ttl_s: float) -> bool:
        arguments = [name, _milliseconds(ttl_s)]
        return bool(await self.run_script("touch_session", self._list_session_keys(name), arguments))

    async def close(self, name: str) -> bool:
        return bool(await self.run_script("close_session", self._list_session_keys(name), [name]))

    def _list_session_keys(self, name: str) -> list[str]:
        """The session's key, and that of the tenant's ends of sessions."""
        return [f"{self._space.tenant_keys}session:{name}", f"{self._space.tenant_keys}sessions"]


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))
