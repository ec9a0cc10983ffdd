"""Requests with an idempotency key: each counts once, however often it is sent.

A request that changes state begins an *attempt* under a lease; while it is running, a repeat waits for it. Its changes
are committed together with its answer, and repeats get the recorded answer. A failed attempt releases the key. A lease
is renewed while its process lives and is checked in the commit itself, so that a process that stopped for longer than
its lease cannot count a request that another process has taken over.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from reward_gateway.cache.breaker import Breaker
from reward_gateway.errors import DeadlineExceeded, IdempotencyConflict, StateUnavailable
from reward_gateway.state.attempts import AttemptRecord, AttemptStore, Begun, LeaseLost, Remembered

T = TypeVar("T")

LEASE_S = 15.0
"""Seconds that a retry waits for a process that died; the lease is renewed three times in that time."""

POLL_S = 0.1
"""Seconds between a repeat's checks whether an attempt of another process has ended."""

REMEMBER_S = 0.1
"""Seconds that a request that changes nothing waits for the store, at most; then it is answered without it."""

FAILURES = 5
"""Consecutive calls without an answer in that time, after which such requests leave the store alone."""

PAUSE_S = 5.0
"""Seconds until the store is tried again, in the background."""

CONFLICT = "this Idempotency-Key was sent with another body; a new request needs a new key"


@dataclass(slots=True)
class Attempt:
    """One running attempt.

    Attributes:
        recorded: the answer that an earlier attempt recorded for a part of the request; None: none.
        committed: its record is stored, and its lease has ended.
    """

    address: str
    token: str
    ttl_s: float
    recorded: bytes | None = None
    committed: bool = False

    def make_record(self, answer: bytes, *, complete: bool = True) -> AttemptRecord:
        """The record to commit: the answer, and whether it answers a repeat completely."""
        return AttemptRecord(self.address, self.token, answer, complete, self.ttl_s)


class Attempts:
    """The requests with an idempotency key that this process answers.

    Args:
        store: the attempts of all processes.
        ttl_s: seconds that an answer is kept.
        lease_s: seconds until a lease expires that is not renewed.
    """

    def __init__(self, store: Callable[[], AttemptStore], ttl_s: float, lease_s: float = LEASE_S) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._lease_s = lease_s
        self._running: dict[str, asyncio.Event] = {}
        self._breaker = Breaker(FAILURES, lambda: asyncio.get_running_loop().time(), pause_s=PAUSE_S)
        self._probes: set[asyncio.Task[Remembered]] = set()

    async def answer_once(
        self,
        address: str,
        body: str,
        deadline: float | None,
        answer: Callable[[Attempt], Awaitable[T]],
        recall: Callable[[bytes], T],
    ) -> T:
        """Answer a request that changes state, or return its recorded answer.

        Args:
            address: the caller, and a digest of run, recipe or operation, and key.
            body: digest of the request's body.
            deadline: time of the running loop's clock until which a repeat waits for the first; None: no limit.
            answer: answers the request and commits under the attempt.
            recall: decodes the recorded answer.

        Raises:
            IdempotencyConflict: the key belongs to another body.
            DeadlineExceeded: another attempt was running until the deadline.
            StateUnavailable: the store cannot be reached.
        """
        while True:
            token = secrets.token_hex(12)
            begun = await self._begin_attempt(address, body, token, deadline)
            if begun.outcome == "done":
                return recall(begun.record or b"")
            attempt = Attempt(address, token, self._ttl_s, begun.record)
            with contextlib.suppress(LeaseLost):  # another process has taken it over: check again
                async with self._hold_lease(attempt):
                    return await answer(attempt)

    async def answer_if_same_body(self, address: str, body: str, answer: Awaitable[T]) -> tuple[T, bool]:
        """Answer a request that changes nothing, and tell whether it was answered before: a repeat is computed again,
        and refused if its body differs.

        Without the store, or where it is slow, the answer counts as the first: no state is changed, and the refusal
        only guards against mistakes.

        Raises:
            IdempotencyConflict: the key belongs to another body.
        """
        answered = await answer
        remembered: Remembered = "new"
        if (ticket := self._breaker.begin_call()) is not None:
            remembered = await self._remember_body(address, body, ticket)
            if remembered == "other":
                raise IdempotencyConflict(CONFLICT)
        elif (ticket := self._breaker.begin_probe()) is not None:
            probe = asyncio.create_task(self._remember_body(address, body, ticket), name="idempotency-probe")
            self._probes.add(probe)
            probe.add_done_callback(self._probes.discard)
        return answered, remembered == "same"

    async def _remember_body(self, address: str, body: str, ticket: int) -> Remembered:
        """What the store knows of the key; one that does not say so in time is new."""
        try:
            async with asyncio.timeout(REMEMBER_S):
                remembered = await self._store().remember_body(address, body, self._ttl_s)
        except (StateUnavailable, TimeoutError):
            self._breaker.record_failure(ticket)
            return "new"
        self._breaker.record_success()
        return remembered

    async def _begin_attempt(self, address: str, body: str, token: str, deadline: float | None) -> Begun:
        """Begin an attempt, waiting until a running one has ended."""
        while True:
            begun = await self._store().begin_attempt(address, body, token, self._lease_s, self._ttl_s)
            if begun.outcome == "conflict":
                raise IdempotencyConflict(CONFLICT)
            if begun.outcome != "busy":
                return begun
            left_s = POLL_S if deadline is None else deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                raise DeadlineExceeded("the first request with this Idempotency-Key is still running; send it again")
            ended = self._running.get(address, asyncio.Event())  # an attempt of another process never sets it
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, POLL_S)):
                    await ended.wait()

    @contextlib.asynccontextmanager
    async def _hold_lease(self, attempt: Attempt) -> AsyncIterator[None]:
        """Renew the lease while the body runs; release it if the body does not commit."""
        ended = self._running[attempt.address] = asyncio.Event()
        renewal = asyncio.create_task(self._renew_lease(attempt), name="idempotency-lease")
        try:
            yield
        finally:
            renewal.cancel()
            if not attempt.committed:  # a cancelled request must release the key for its retry
                await asyncio.shield(self._release_lease(attempt))
            ended.set()
            if self._running.get(attempt.address) is ended:
                del self._running[attempt.address]

    async def _renew_lease(self, attempt: Attempt) -> None:
        is_held = True
        while is_held:
            await asyncio.sleep(self._lease_s / 3)
            with contextlib.suppress(StateUnavailable):  # the commit checks the lease itself
                is_held = await self._store().renew_lease(attempt.address, attempt.token, self._lease_s)

    async def _release_lease(self, attempt: Attempt) -> None:
        with contextlib.suppress(StateUnavailable):  # the lease expires
            await self._store().release_lease(attempt.address, attempt.token)
