"""Answers that clients fetch later: stored under an unguessable token, readable by any worker, expiring."""

import asyncio
import json
from copy import copy
from typing import Any, Self

from .namespace import NO_NAMESPACE, Namespace
from .redis_store import RedisVersionedStore

MOST = 100_000
"""Maximum number of answers in this process; the oldest are dropped first."""


class LocalResults:
    """Implements :class:`.port.ResultStore` in this process."""

    def __init__(self) -> None:
        self._space = NO_NAMESPACE
        self._values: dict[tuple[str, str], tuple[float, str]] = {}

    def within(self, space: Namespace) -> Self:
        """The store as a namespace sees it."""
        view = copy(self)
        view._space = space
        return view

    async def put(self, token: str, value: Any, ttl_s: float) -> None:
        now = asyncio.get_running_loop().time()
        key = self._space.tenant, token
        self._values.pop(key, None)
        self._values[key] = now + ttl_s, json.dumps(value)
        for old in [each for each, (end, _) in self._values.items() if end < now] if len(self._values) > MOST else ():
            del self._values[old]
        while len(self._values) > MOST:
            del self._values[next(iter(self._values))]

    async def read(self, token: str) -> Any:
        key = self._space.tenant, token
        end, text = self._values.get(key, (0.0, "null"))
        if end < asyncio.get_running_loop().time():
            self._values.pop(key, None)
            return None
        return json.loads(text)


class RedisResults(RedisVersionedStore):
    """Implements :class:`.port.ResultStore` in Redis: JSON text per token, which expires."""

    kind = "results"

    async def put(self, token: str, value: Any, ttl_s: float) -> None:
        arguments = [json.dumps(value), max(1, int(ttl_s * 1000))]
        await self.run_script("put_result", [self._make_token_key(token)], arguments)

    async def read(self, token: str) -> Any:
        (text,) = await self.read_commands(("GET", self._make_token_key(token)))
        return None if text is None else json.loads(text)

    def _make_token_key(self, token: str) -> str:
        return f"{self._space.tenant_keys}results:{token}"
