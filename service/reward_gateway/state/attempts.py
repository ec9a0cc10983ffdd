"""Idempotency keys: which request holds one, on what body, and what it was answered.

A request *begins* an attempt under a lease that it renews and that expires if its process dies. What it changes and
what it answers is committed together (:mod:`.commits`), if it still holds the lease; a request that failed *releases*
the key, so that a retry runs.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from .redis_store import PREFIX, RedisScripts


@dataclass(frozen=True, slots=True)
class Begun:
    """How an attempt stands.

    Attributes:
        outcome: ``begun``: it is the caller's now; ``done``: it was answered; ``busy``: another one is at work on it;
            ``conflict``: the key belongs to another body.
        record: what was recorded of it, as a whole (``done``) or in part (``begun``).
    """

    outcome: Literal["begun", "done", "busy", "conflict"]
    record: bytes | None = None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """What is kept of an attempt with its commit.

    Attributes:
        token: of the lease under which it runs.
        complete: a repeat is answered by the record alone; else it begins again, with the record at hand.
        ttl_s: how long it is kept.
    """

    address: str
    token: str
    record: bytes
    complete: bool
    ttl_s: float


class LeaseLost(Exception):
    """The lease expired before the commit, and somebody else may have begun: nothing was written."""


class AttemptStore(Protocol):
    """Where attempts are known to all processes. Every call may raise StateUnavailable."""

    async def begin(self, address: str, digest: str, token: str, lease_s: float, ttl_s: float) -> Begun:
        """Take the lease of an attempt that nobody holds and that was not answered."""

    async def renew(self, address: str, token: str, lease_s: float) -> bool:
        """Hold the lease for longer; False if it is lost."""

    async def release(self, address: str, token: str) -> None:
        """Give the lease back; an attempt without a record is forgotten."""

    async def remember(self, address: str, digest: str, ttl_s: float) -> bool:
        """Note the body of a request that changes nothing; False if the key belongs to another body."""


@dataclass(slots=True)
class _Attempt:
    digest: str
    until: float
    record: bytes | None = None
    complete: bool = False
    token: str | None = None
    leased_until: float = 0.0


class LocalAttempts:
    """Implements :class:`AttemptStore` in this process.

    Args:
        clock: seconds; None: the running loop's.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._attempts: dict[str, _Attempt] = {}

    async def begin(self, address: str, digest: str, token: str, lease_s: float, ttl_s: float) -> Begun:
        now = self._clock()
        attempt = self._attempt(address, digest, ttl_s, now)
        if attempt.digest != digest:
            return Begun("conflict")
        if attempt.complete:
            return Begun("done", attempt.record)
        if attempt.token is not None and attempt.leased_until > now:
            return Begun("busy")
        attempt.token, attempt.leased_until, attempt.until = token, now + lease_s, now + ttl_s
        return Begun("begun", attempt.record)

    async def renew(self, address: str, token: str, lease_s: float) -> bool:
        if not self.holds(address, token):
            return False
        self._attempts[address].leased_until = self._clock() + lease_s
        return True

    async def release(self, address: str, token: str) -> None:
        if self.holds(address, token):
            attempt = self._attempts[address]
            attempt.token = None
            if attempt.record is None:
                del self._attempts[address]

    async def remember(self, address: str, digest: str, ttl_s: float) -> bool:
        return self._attempt(address, digest, ttl_s, self._clock()).digest == digest

    def holds(self, address: str, token: str) -> bool:
        """Whether the lease of an attempt is this one."""
        attempt = self._attempts.get(address)
        return attempt is not None and attempt.token == token and attempt.leased_until > self._clock()

    def record(self, record: AttemptRecord) -> None:
        """Keep what an attempt was answered, and end its lease; now."""
        attempt = self._attempts.pop(record.address)
        attempt.record, attempt.complete, attempt.token = record.record, record.complete, None
        attempt.until = self._clock() + record.ttl_s
        self._attempts[record.address] = attempt

    def _attempt(self, address: str, digest: str, ttl_s: float, now: float) -> _Attempt:
        """The attempt of an address, a new one where there is none; forgets some that are out of date."""
        while self._attempts and (oldest := next(iter(self._attempts.values()))).until < now:
            if oldest.leased_until > now:
                break
            del self._attempts[next(iter(self._attempts))]
        attempt = self._attempts.get(address)
        if attempt is None or (attempt.until < now and attempt.leased_until <= now):
            attempt = self._attempts[address] = _Attempt(digest, now + ttl_s)
        return attempt


def attempt_key(address: str) -> str:
    """Where an attempt's body and record are kept."""
    return f"{PREFIX}:attempts:{address}"


def lease_key(address: str) -> str:
    """Where the token of who is at work on an attempt is kept."""
    return f"{PREFIX}:attempts:lease:{address}"


class RedisAttempts(RedisScripts):
    """Implements :class:`AttemptStore` in Redis: a hash and a lease an attempt."""

    async def begin(self, address: str, digest: str, token: str, lease_s: float, ttl_s: float) -> Begun:
        keys, arguments = _keys(address), [digest, token, _ms(lease_s), _ms(ttl_s)]
        outcome, *record = await self._run("begin_attempt", keys, arguments)
        return Begun(outcome.decode(), record[0] if record else None)

    async def renew(self, address: str, token: str, lease_s: float) -> bool:
        return bool(await self._run("renew_attempt", [lease_key(address)], [token, _ms(lease_s)]))

    async def release(self, address: str, token: str) -> None:
        await self._run("release_attempt", _keys(address), [token])

    async def remember(self, address: str, digest: str, ttl_s: float) -> bool:
        return bool(await self._run("remember_request", [attempt_key(address)], [digest, _ms(ttl_s)]))


def _keys(address: str) -> list[str]:
    return [attempt_key(address), lease_key(address)]


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1e3))
