"""Idempotency keys: which request holds a key, its body, and its recorded answer.

A request *begins* an attempt under a lease that it renews and that expires if its process dies. Its changes and its
answer are committed together (:mod:`.commits`) if it still holds the lease; a failed request *releases* the key, so
that a retry runs.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from .namespace import make_tenant_prefix
from .redis_store import RedisScripts


@dataclass(frozen=True, slots=True)
class Begun:
    """The result of beginning an attempt.

    Attributes:
        outcome: ``begun``: the caller holds it; ``done``: it was answered; ``busy``: another request holds it;
            ``conflict``: the key belongs to another body.
        record: its recorded answer, complete (``done``) or partial (``begun``).
    """

    outcome: Literal["begun", "done", "busy", "conflict"]
    record: bytes | None = None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """The record of an attempt, stored with its commit.

    Attributes:
        token: of the lease under which it runs.
        complete: the record answers a repeat; otherwise the repeat begins again and receives the record.
        ttl_s: seconds that it is kept.
    """

    address: str
    token: str
    record: bytes
    complete: bool
    ttl_s: float


Remembered = Literal["new", "same", "other"]
"""Whether a key was not known, belongs to the same body, or to another."""

_REMEMBERED: tuple[Remembered, ...] = ("other", "new", "same")
"""By the answer of the script."""


class LeaseLost(Exception):
    """The lease expired before the commit, and another request may have begun: nothing was written."""


class AttemptStore(Protocol):
    """The attempts of all processes. Every call may raise StateUnavailable.

    An address is ``TENANT/…``, so that an attempt is stored beside the state of its tenant.
    """

    async def begin_attempt(self, address: str, digest: str, token: str, lease_s: float, ttl_s: float) -> Begun:
        """Take the lease of an attempt that no request holds and that was not answered."""

    async def renew_lease(self, address: str, token: str, lease_s: float) -> bool:
        """Extend the lease; False if it is lost."""

    async def release_lease(self, address: str, token: str) -> None:
        """Release the lease; an attempt without a record is deleted."""

    async def remember_body(self, address: str, digest: str, ttl_s: float) -> Remembered:
        """Store the body's digest of a request that changes nothing, and tell what was known of its key."""


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

    async def begin_attempt(self, address: str, digest: str, token: str, lease_s: float, ttl_s: float) -> Begun:
        now = self._clock()
        attempt = self._find_attempt(address, digest, ttl_s, now)
        if attempt.digest != digest:
            return Begun("conflict")
        if attempt.complete:
            return Begun("done", attempt.record)
        if attempt.token is not None and attempt.leased_until > now:
            return Begun("busy")
        attempt.token, attempt.leased_until, attempt.until = token, now + lease_s, now + ttl_s
        return Begun("begun", attempt.record)

    async def renew_lease(self, address: str, token: str, lease_s: float) -> bool:
        if not self.holds_lease(address, token):
            return False
        self._attempts[address].leased_until = self._clock() + lease_s
        return True

    async def release_lease(self, address: str, token: str) -> None:
        if self.holds_lease(address, token):
            attempt = self._attempts[address]
            attempt.token = None
            if attempt.record is None:
                del self._attempts[address]

    async def remember_body(self, address: str, digest: str, ttl_s: float) -> Remembered:
        known = self._attempts.get(address)
        found = self._find_attempt(address, digest, ttl_s, self._clock())
        return "new" if found is not known else "same" if found.digest == digest else "other"

    def holds_lease(self, address: str, token: str) -> bool:
        """True if this token holds the lease of an attempt."""
        attempt = self._attempts.get(address)
        return attempt is not None and attempt.token == token and attempt.leased_until > self._clock()

    def record_answer(self, record: AttemptRecord) -> None:
        """Store the answer of an attempt and end its lease, immediately."""
        attempt = self._attempts.pop(record.address)
        attempt.record, attempt.complete, attempt.token = record.record, record.complete, None
        attempt.until = self._clock() + record.ttl_s
        self._attempts[record.address] = attempt

    def _find_attempt(self, address: str, digest: str, ttl_s: float, now: float) -> _Attempt:
        """The attempt of an address, created if missing; deletes some expired ones."""
        while self._attempts and (oldest := next(iter(self._attempts.values()))).until < now:
            if oldest.leased_until > now:
                break
            del self._attempts[next(iter(self._attempts))]
        attempt = self._attempts.get(address)
        if attempt is None or (attempt.until < now and attempt.leased_until <= now):
            attempt = self._attempts[address] = _Attempt(digest, now + ttl_s)
        return attempt


def attempt_key(address: str) -> str:
    """Redis key of an attempt's body digest and record."""
    tenant, _, own = address.partition("/")
    return f"{make_tenant_prefix(tenant)}attempts:{own}"


def lease_key(address: str) -> str:
    """Redis key of the token that holds an attempt's lease."""
    tenant, _, own = address.partition("/")
    return f"{make_tenant_prefix(tenant)}attempts:lease:{own}"


class RedisAttempts(RedisScripts):
    """Implements :class:`AttemptStore` in Redis: one hash and one lease per attempt."""

    async def begin_attempt(self, address: str, digest: str, token: str, lease_s: float, ttl_s: float) -> Begun:
        keys, arguments = (
            _list_attempt_keys(address),
            [digest, token, _to_milliseconds(lease_s), _to_milliseconds(ttl_s)],
        )
        outcome, *record = await self.run_script("begin_attempt", keys, arguments)
        return Begun(outcome.decode(), record[0] if record else None)

    async def renew_lease(self, address: str, token: str, lease_s: float) -> bool:
        return bool(await self.run_script("renew_attempt", [lease_key(address)], [token, _to_milliseconds(lease_s)]))

    async def release_lease(self, address: str, token: str) -> None:
        await self.run_script("release_attempt", _list_attempt_keys(address), [token])

    async def remember_body(self, address: str, digest: str, ttl_s: float) -> Remembered:
        arguments = [digest, _to_milliseconds(ttl_s)]
        known = await self.run_script("remember_request", [attempt_key(address)], arguments)
        return _REMEMBERED[int(known)]


def _list_attempt_keys(address: str) -> list[str]:
    return [attempt_key(address), lease_key(address)]


def _to_milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1e3))
