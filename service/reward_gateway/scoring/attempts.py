"""Requests with an idempotency key: each counts once, however often it is sent.

A request that changes state begins an *attempt* under a lease; while it is at work, a repeat waits for it. What it
changes is committed together with the record of its answer, and repeats are answered by the record. One that fails
gives the key back. A lease is renewed while its process lives and is checked in the commit itself, so that a process
that stopped for longer than its lease cannot count a request that another one has taken over.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from reward_gateway.cache.breaker import Breaker
from reward_gateway.errors import DeadlineExceeded, IdempotencyConflict, StateUnavailable
from reward_gateway.state.attempts import AttemptRecord, AttemptStore, Begun, LeaseLost

T = TypeVar("T")

LEASE_S = 15.0
"""How long a retry waits for a process that died; the lease is renewed three times as often."""

POLL_S = 0.1
"""How often a repeat looks whether an attempt of another process has ended."""

PAUSE_S = 5.0
"""How long the store is not asked about requests that change nothing, after it did not answer."""

CONFLICT = "this Idempotency-Key was sent with another body; a new request needs a new key"


@dataclass(slots=True)
class Attempt:
    """One attempt that is under way.

    Attributes:
        recorded: what an earlier attempt recorded of a part of the request; None: nothing.
        committed: its record is kept, and its lease has ended.
    """

    address: str
    token: str
    ttl_s: float
    recorded: bytes | None = None
    committed: bool = False

    def make_record(self, answer: bytes, *, complete: bool = True) -> AttemptRecord:
        """What is to be committed: the answer, and whether a repeat is answered by it alone."""
        return AttemptRecord(self.address, self.token, answer, complete, self.ttl_s)


class Attempts:
    """The requests with a key that this process answers.

    Args:
        store: where all processes know of them.
        ttl_s: how long an answer is remembered.
        lease_s: how long an attempt is its process's without a sign of life.
    """

    def __init__(self, store: Callable[[], AttemptStore], ttl_s: float, lease_s: float = LEASE_S) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._lease_s = lease_s
        self._running: dict[str, asyncio.Event] = {}
        self._breaker = Breaker(1, lambda: asyncio.get_running_loop().time(), pause_s=PAUSE_S)

    async def answer_once(
        self,
        address: str,
        body: str,
        deadline: float | None,
        answer: Callable[[Attempt], Awaitable[T]],
        recall: Callable[[bytes], T],
    ) -> T:
        """Answer a request that changes state, or give the answer that it got before.

        Args:
            address: of the request: caller, run, what is asked, key.
            body: digest of all that is asked.
            deadline: time of the running loop's clock until which a repeat waits for the first; None: no limit.
            answer: answers, and commits under the attempt.
            recall: reads the answer that was recorded.

        Raises:
            IdempotencyConflict: the key belongs to another body.
            DeadlineExceeded: another attempt was at work until the deadline.
            StateUnavailable: the store cannot be reached.
        """
        while True:
            token = secrets.token_hex(12)
            begun = await self._begin_attempt(address, body, token, deadline)
            if begun.outcome == "done":
                return recall(begun.record or b"")
            attempt = Attempt(address, token, self._ttl_s, begun.record)
            with contextlib.suppress(LeaseLost):  # another process has taken it over: look what it does
                async with self._hold_lease(attempt):
                    return await answer(attempt)

    async def answer_if_same_body(self, address: str, body: str, answer: Awaitable[T]) -> T:
        """Answer a request that changes nothing: a repeat is computed again, and is refused where its body is another.

        Without the store the answer stands: nothing is counted, and the refusal only guards against a mistake.

        Raises:
            IdempotencyConflict: the key belongs to another body.
        """
        answered = await answer
        ticket = self._breaker.begin_call()
        if ticket is None:
            ticket = self._breaker.begin_probe()
        if ticket is None:
            return answered
        try:
            is_same_body = await self._store().remember(address, body, self._ttl_s)
        except StateUnavailable:
            self._breaker.record_failure(ticket)
            return answered
        self._breaker.record_success()
        if not is_same_body:
            raise IdempotencyConflict(CONFLICT)
        return answered

    async def _begin_attempt(self, address: str, body: str, token: str, deadline: float | None) -> Begun:
        """Begin, or wait until the attempt that is at work has ended."""
        while True:
            begun = await self._store().begin(address, body, token, self._lease_s, self._ttl_s)
            if begun.outcome == "conflict":
                raise IdempotencyConflict(CONFLICT)
            if begun.outcome != "busy":
                return begun
            left_s = POLL_S if deadline is None else deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                raise DeadlineExceeded("the first request with this Idempotency-Key is still at work; send it again")
            ended = self._running.get(address, asyncio.Event())  # of another process only the store knows
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), min(left_s, POLL_S))

    @contextlib.asynccontextmanager
    async def _hold_lease(self, attempt: Attempt) -> AsyncIterator[None]:
        """Renew the lease while the body runs; give it back if the body does not commit."""
        ended = self._running[attempt.address] = asyncio.Event()
        renewal = asyncio.create_task(self._renew_lease(attempt), name="idempotency-lease")
        try:
            yield
        finally:
            renewal.cancel()
            if not attempt.committed:  # a caller who has gone must not keep the key: the retry is on its way
                await asyncio.shield(self._release_lease(attempt))
            ended.set()
            if self._running.get(attempt.address) is ended:
                del self._running[attempt.address]

    async def _renew_lease(self, attempt: Attempt) -> None:
        is_held = True
        while is_held:
            await asyncio.sleep(self._lease_s / 3)
            with contextlib.suppress(StateUnavailable):  # the commit will tell whether the lease was kept
                is_held = await self._store().renew(attempt.address, attempt.token, self._lease_s)

    async def _release_lease(self, attempt: Attempt) -> None:
        with contextlib.suppress(StateUnavailable):  # the lease ends by itself
            await self._store().release(attempt.address, attempt.token)
