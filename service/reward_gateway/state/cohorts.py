"""Cohorts: the samples of one prompt, collected across requests and processes until they can be compared.

Trainers send a prompt's samples as single requests. Each joins the open cohort of its name; it is closed
when it holds ``size`` members or when its first member has waited ``timeout_s``, and everybody who waited
gets all members. Whoever comes later opens the next one.

A join cannot be taken back, since the others see it. A member with a name of its own is stored once: if it joins again,
because its first request was lost, it is where it was.
"""

import asyncio
import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from reward_gateway.sample import FloatArray
from reward_gateway.tasks import end_task

from .redis_store import PREFIX, TIMEOUT_S, script, state_unavailable

MEMBER_TTL_S = 900.0
"""How long a member with a name is known."""

REMEMBERED = 4096
"""Closed cohorts that a process keeps in mind."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """A closed cohort as a member sees it: all payloads [m, d] in the order of joining, and its own place."""

    members: FloatArray
    place: int


class Cohorts(Protocol):
    """Where cohorts meet."""

    async def join(
        self, name: str, payload: list[float], size: int, timeout_s: float, member: str | None = None
    ) -> Cohort:
        """Join the open cohort of a name and wait until it closes.

        Args:
            payload: [d] what the member brings.
            timeout_s: how long a cohort that this member opens stays open.
            member: a name under which it joins once; None: it is new each time.

        Raises:
            StateUnavailable: the store cannot be reached.
        """

    async def close(self) -> None:
        """Release connections; who still waits is told that the store is away."""


@dataclass(slots=True)
class _Open:
    payloads: list[list[float]] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)


class LocalCohorts:
    """Implements :class:`Cohorts` in this process.

    Args:
        member_ttl_s: how long a named member is known, and its cohort kept.
    """

    def __init__(self, member_ttl_s: float = MEMBER_TTL_S) -> None:
        self._open: dict[str, _Open] = {}
        self._member_ttl_s = member_ttl_s
        self._members: dict[str, tuple[_Open, int, float]] = {}  # cohort, place, known until; oldest first

    async def join(
        self, name: str, payload: list[float], size: int, timeout_s: float, member: str | None = None
    ) -> Cohort:
        cohort, place = self._known(member) or self._enter(name, payload, size, timeout_s, member)
        await cohort.closed.wait()
        return Cohort(np.array(cohort.payloads, dtype=np.float64), place)

    def _known(self, member: str | None) -> tuple[_Open, int] | None:
        """Where a member has joined before."""
        now = asyncio.get_running_loop().time()
        while self._members and next(iter(self._members.values()))[2] < now:
            del self._members[next(iter(self._members))]
        if member is None or member not in self._members:
            return None
        return self._members[member][:2]

    def _enter(
        self, name: str, payload: list[float], size: int, timeout_s: float, member: str | None
    ) -> tuple[_Open, int]:
        loop = asyncio.get_running_loop()
        cohort = self._open.get(name)
        if cohort is None:
            cohort = self._open[name] = _Open()
            loop.call_later(timeout_s, self._end, name, cohort)
        place = len(cohort.payloads)
        cohort.payloads.append(payload)
        if member is not None:
            self._members[member] = cohort, place, loop.time() + self._member_ttl_s
        if len(cohort.payloads) >= size:
            self._end(name, cohort)
        return cohort, place

    def _end(self, name: str, cohort: _Open) -> None:
        if self._open.get(name) is cohort:
            del self._open[name]
        cohort.closed.set()

    async def close(self) -> None:
        for name, cohort in list(self._open.items()):
            self._end(name, cohort)


class RedisCohorts:
    """Implements :class:`Cohorts` in Redis: a script a join, one subscription a process for the news of closing.

    Args:
        member_ttl_s: how long a named member is known, and its cohort kept.
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S, member_ttl_s: float = MEMBER_TTL_S) -> None:
        self._member_ttl_s = member_ttl_s
        # One attempt a command: a join whose answer was lost must not be sent again.
        self._client = Redis.from_url(
            url, socket_connect_timeout=timeout_s, socket_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
        )
        self._news = Redis.from_url(url, socket_connect_timeout=timeout_s)
        self._channel = f"{PREFIX}:cohorts:closed"
        self._members = f"{PREFIX}:cohorts:members:"
        self._join = self._client.register_script(script("join_cohort"))
        self._close = self._client.register_script(script("close_cohort"))
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._closed: dict[str, None] = {}  # heard of, newest last: the news may come before the answer to the join
        self._listening = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    async def join(
        self, name: str, payload: list[float], size: int, timeout_s: float, member: str | None = None
    ) -> Cohort:
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen(), name="cohort-news")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._listening.wait(), 1.0)
        open_key = f"{PREFIX}:cohorts:open:{name}"
        text = json.dumps([None if value != value else value for value in payload])
        arguments: list[str | int] = [
            os.urandom(12).hex(),
            text,
            size,
            round(timeout_s * 1e3),
            self._members,
            self._channel,
            0 if member is None else round(self._member_ttl_s * 1e3),
        ]
        try:
            answer = await self._join(keys=[open_key, f"{PREFIX}:cohorts:joined:{member or ''}"], args=arguments)
            cohort, place, left_ms = answer[0].decode(), int(answer[1]), int(answer[2])
            await self._wait(cohort, left_ms / 1e3)
            members = await self._close(keys=[open_key], args=[cohort, self._members, self._channel])
        except (RedisError, OSError, TimeoutError) as error:
            raise state_unavailable(error) from error
        rows = [[np.nan if value is None else value for value in json.loads(member)] for member in members]
        return Cohort(np.array(rows, dtype=np.float64), place)

    async def _wait(self, cohort: str, left_s: float) -> None:
        """Until the cohort is said to be closed, or its time is up."""
        if left_s <= 0 or cohort in self._closed:
            return
        event = asyncio.Event()  # one per waiter: who leaves early takes nobody's news away
        self._waiting.setdefault(cohort, set()).add(event)
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), left_s)
        finally:
            self._waiting[cohort].discard(event)
            if not self._waiting[cohort]:
                del self._waiting[cohort]

    async def _listen(self) -> None:
        """Wake those who wait. What is missed while the connection is lost is made up for by their own clocks."""
        while True:
            with contextlib.suppress(RedisError, OSError):
                async with self._news.pubsub() as subscription:
                    await subscription.subscribe(self._channel)
                    async for message in subscription.listen():
                        self._listening.set()
                        if message["type"] == "message":
                            self._heard(message["data"].decode())
            self._listening.clear()
            await asyncio.sleep(0.5)

    def _heard(self, cohort: str) -> None:
        self._closed[cohort] = None
        if len(self._closed) > REMEMBERED:
            del self._closed[next(iter(self._closed))]
        for event in self._waiting.get(cohort, ()):
            event.set()

    async def close(self) -> None:
        await end_task(self._listener)
        await self._client.aclose()
        await self._news.aclose()
