"""Answers that clients fetch later: stored under an unguessable token, readable by any worker, expiring."""

import asyncio
import json
from typing import Any

from .redis_store import PREFIX, RedisVersionedStore

MOST = 100_000
"""Maximum number of answers in this process; the oldest are dropped first."""


class LocalResults:
    """Implements :class:`.port.ResultStore` in this process."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[float, str]] = {}

    async def put(self, token: str, value: Any, ttl_s: float) -> None:
        now = asyncio.get_running_loop().time()
        self._values.pop(token, None)
        self._values[token] = now + ttl_s, json.dumps(value)
        for old in [key for key, (end, _) in self._values.items() if end < now] if len(self._values) > MOST else ():
            del self._values[old]
        while len(self._values) > MOST:
            del self._values[next(iter(self._values))]

    async def read(self, token: str) -> Any:
        end, text = self._values.get(token, (0.0, "null"))
        if end < asyncio.get_running_loop().time():
            self._values.pop(token, None)
            return None
        return json.loads(text)


class RedisResults(RedisVersionedStore):
    """Implements :class:`.port.ResultStore` in Redis: JSON text per token, which expires."""

    kind = "results"

    async def put(self, token: str, value: Any, ttl_s: float) -> None:
        async with self._use_client() as client:
            await client.set(f"{PREFIX}:results:{token}", json.dumps(value), px=max(1, int(ttl_s * 1000)))

    async def read(self, token: str) -> Any:
        async with self._use_client() as client:
            text = await client.get(f"{PREFIX}:results:{token}")
        return None if text is None else json.loads(text)
