"""Cohorts: the samples of one prompt, collected across requests and processes until they can be compared.

Trainers send a prompt's samples as single requests. Each joins the open cohort of its name and namespace. The cohort
closes when it has ``size`` members or when its first member has waited ``timeout_s``, and everyone who waited gets all
members. A later member opens the next cohort.

A join cannot be undone, since the others see it. A named member is stored once: if it joins again because its first
request was lost, it keeps its place.
"""

import asyncio
import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from redis.exceptions import RedisError

from reward_gateway.errors import StateUnavailable
from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import connect
from reward_gateway.sample import FloatArray
from reward_gateway.tasks import end_task

from .epoch import StoreEpoch
from .namespace import LEGACY, NO_NAMESPACE, TAG, Namespace
from .redis_store import TIMEOUT_S, RedisScripts, connect_client

MEMBER_TTL_S = 900.0
"""Seconds that a named member is kept."""

RECHECK_S = 5.0
"""Seconds after which a waiting member asks whether its cohort is still open."""

CLOSED_LIMIT = 4096
"""Maximum number of closed cohorts that a process remembers."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """A closed cohort as a member sees it: all payloads [m, d] in the order of joining, and its own place."""

    members: FloatArray
    place: int


class Cohorts(Protocol):
    """Cohorts by name."""

    async def join(
        self,
        name: str,
        payload: list[float],
        size: int,
        timeout_s: float,
        member: str | None = None,
        space: Namespace = NO_NAMESPACE,
    ) -> Cohort:
        """Join the open cohort of a name and wait until it closes. Members of two namespaces never meet.

        Args:
            payload: [d] numbers of the member.
            timeout_s: seconds that a cohort opened by this member stays open.
            member: a name with which it joins only once; None: each join is a new member.

        Raises:
            StateUnavailable: the store cannot be reached.
        """

    async def close(self) -> None:
        """Release connections; members that still wait get StateUnavailable."""


@dataclass(slots=True)
class _Open:
    payloads: list[list[float]] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)


_Owned = tuple[Namespace, str]
"""A name in a namespace."""


class LocalCohorts:
    """Implements :class:`Cohorts` in this process.

    Args:
        member_ttl_s: seconds that a named member and its cohort are kept.
    """

    def __init__(self, member_ttl_s: float = MEMBER_TTL_S) -> None:
        self._open: dict[_Owned, _Open] = {}
        self._member_ttl_s = member_ttl_s
        self._members: dict[_Owned, tuple[_Open, int, float]] = {}  # cohort, place, known until; oldest first

    async def join(
        self,
        name: str,
        payload: list[float],
        size: int,
        timeout_s: float,
        member: str | None = None,
        space: Namespace = NO_NAMESPACE,
    ) -> Cohort:
        own = None if member is None else (space, member)
        cohort, place = self._find_member(own) or self._add_member((space, name), payload, size, timeout_s, own)
        await cohort.closed.wait()
        return Cohort(np.array(cohort.payloads, dtype=np.float64), place)

    def _find_member(self, member: _Owned | None) -> tuple[_Open, int] | None:
        """The cohort and place of a member that joined before."""
        now = asyncio.get_running_loop().time()
        while self._members and next(iter(self._members.values()))[2] < now:
            del self._members[next(iter(self._members))]
        if member is None or member not in self._members:
            return None
        return self._members[member][:2]

    def _add_member(
        self, name: _Owned, payload: list[float], size: int, timeout_s: float, member: _Owned | None
    ) -> tuple[_Open, int]:
        loop = asyncio.get_running_loop()
        cohort = self._open.get(name)
        if cohort is None:
            cohort = self._open[name] = _Open()
            loop.call_later(timeout_s, self._close_cohort, name, cohort)
        place = len(cohort.payloads)
        cohort.payloads.append(payload)
        if member is not None:
            self._members[member] = cohort, place, loop.time() + self._member_ttl_s
        if len(cohort.payloads) >= size:
            self._close_cohort(name, cohort)
        return cohort, place

    def _close_cohort(self, name: _Owned, cohort: _Open) -> None:
        if self._open.get(name) is cohort:
            del self._open[name]
        cohort.closed.set()

    async def close(self) -> None:
        for name, cohort in list(self._open.items()):
            self._close_cohort(name, cohort)


class RedisCohorts:
    """Implements :class:`Cohorts` in Redis: one script per join, one subscription per process for closed cohorts.

    Args:
        member_ttl_s: seconds that a named member and its cohort are kept.
    """

    def __init__(
        self,
        address: RedisAddress | str,
        timeout_s: float = TIMEOUT_S,
        member_ttl_s: float = MEMBER_TTL_S,
        epoch: StoreEpoch | None = None,
    ) -> None:
        self._member_ttl_s = member_ttl_s
        self._client = connect_client(address, timeout_s)
        self._subscriber = connect(address, TAG, socket_connect_timeout=timeout_s)
        # One channel for all namespaces, so that a process needs one subscription: messages are cohorts' random ids.
        self._channel = f"{LEGACY}cohorts:closed"
        self._scripts = RedisScripts(self._client, timeout_s, epoch)
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._closed: dict[str, None] = {}  # newest last; the message may arrive before the answer to the join
        self._listening = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    async def join(
        self,
        name: str,
        payload: list[float],
        size: int,
        timeout_s: float,
        member: str | None = None,
        space: Namespace = NO_NAMESPACE,
    ) -> Cohort:
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen_for_closing(), name="cohort-news")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._listening.wait()
        owner = space.run_keys
        open_key, members_prefix = f"{owner}cohorts:open:{name}", f"{owner}cohorts:members:"
        text = json.dumps([None if value != value else value for value in payload])
        arguments: list[str | int] = [
            os.urandom(12).hex(),
            text,
            size,
            round(timeout_s * 1e3),
            members_prefix,
            self._channel,
            0 if member is None else round(self._member_ttl_s * 1e3),
        ]
        keys = [open_key, f"{owner}cohorts:joined:{member or ''}"]
        answer = await self._scripts.run_script("join_cohort", keys, arguments)
        cohort, place, left_ms = answer[0].decode(), int(answer[1]), int(answer[2])
        await self._wait_for_close(open_key, cohort, left_ms / 1e3)
        arguments = [cohort, members_prefix, self._channel]
        members = await self._scripts.run_script("close_cohort", [open_key], arguments)
        if len(members) <= place:  # it was lost with the store's state, which the request may do without
            raise StateUnavailable("the store of state lost this cohort; send the sample again")
        rows = [[np.nan if value is None else value for value in json.loads(member)] for member in members]
        return Cohort(np.array(rows, dtype=np.float64), place)

    async def _wait_for_close(self, open_key: str, cohort: str, left_s: float) -> None:
        """Wait until the cohort is closed, or ``left_s`` seconds have passed.

        Its closing is published; since that message may be lost with the connection, the store is also asked every
        ``RECHECK_S`` seconds whether the cohort is still open.
        """
        if left_s <= 0 or cohort in self._closed:
            return
        loop = asyncio.get_running_loop()
        end = loop.time() + left_s
        event = asyncio.Event()  # one per waiter, so that a cancelled waiter does not affect the others
        self._waiting.setdefault(cohort, set()).add(event)
        try:
            while (left_s := end - loop.time()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left_s, RECHECK_S)):
                        await event.wait()
                    return
                (current,) = await self._scripts.read_commands(("GET", open_key))
                if current != cohort.encode():
                    return
        finally:
            self._waiting[cohort].discard(event)
            if not self._waiting[cohort]:
                del self._waiting[cohort]

    async def _listen_for_closing(self) -> None:
        """Wake waiting members. Those whose message was lost with the connection find out by asking (``RECHECK_S``)."""
        while True:
            with contextlib.suppress(RedisError, OSError):
                async with self._subscriber.pubsub() as subscription:
                    await subscription.subscribe(self._channel)
                    async for message in subscription.listen():
                        self._listening.set()
                        if message["type"] == "message":
                            self._mark_closed(message["data"].decode())
            self._listening.clear()
            await asyncio.sleep(0.5)

    def _mark_closed(self, cohort: str) -> None:
        self._closed[cohort] = None
        if len(self._closed) > CLOSED_LIMIT:
            del self._closed[next(iter(self._closed))]
        for event in self._waiting.get(cohort, ()):
            event.set()

    async def close(self) -> None:
        await end_task(self._listener)
        await self._client.aclose()
        await self._subscriber.aclose()
