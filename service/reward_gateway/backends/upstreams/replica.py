"""One copy of an upstream: a server at an address, and how it has been lately."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from reward_gateway.observer import UNOBSERVED, BreakerState, Observer
from reward_gateway.sample import Invalid

from ..breaker import MakeBreaker
from .config import UpstreamConfig
from .failures import Refused, ReplicaFailed
from .grpc_connection import GrpcConnection
from .http_connection import HttpConnection

LOOK_S = 2.0
"""Timeout of asking a server what it is."""


class Replica:
    """A server of an upstream.

    It gets calls while it is ``trusted``: its breaker is closed, and it is known to have the weights that the upstream
    answers with. Both end when it does not answer, and begin again when it has been looked at.

    Args:
        url: its address.
        label: its name in metrics and logs.
        host: the name that its address was looked up by; empty: the address has it.

    Attributes:
        name: the upstream's name, for messages.
        in_flight: calls that are not answered yet.
        most_rows: maximum rows of a call, as the server says; None: it says nothing.
        trusted: it may be called.
        look_soon: set when it should be looked at at once.
    """

    def __init__(
        self,
        name: str,
        url: str,
        config: UpstreamConfig,
        make_breaker: MakeBreaker,
        observer: Observer = UNOBSERVED,
        *,
        label: str = "",
        host: str = "",
    ) -> None:
        self.name = name
        self.url = url
        self.label = label or urlsplit(url).netloc
        self.in_flight = 0
        self.most_rows: int | None = None
        self.trusted = False
        self.look_soon = asyncio.Event()
        self.observer = observer
        self._looked = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._timeouts: set[asyncio.Timeout] = set()
        self._breaker = make_breaker(self._note_breaker)
        self._note_breaker("closed")
        key = config.api_key()
        secret = key.get_secret_value() if key is not None else ""
        self._http = None if url.startswith("grpc") else HttpConnection(url, secret, config.limits.in_flight + 8, host)
        self.grpc = GrpcConnection(url, secret, host) if self._http is None else None

    # How it is

    def begin(self) -> int | None:
        """A ticket for a call; None if it is not called now."""
        return self._breaker.begin_call() if self.trusted else None

    def begin_look(self) -> int | None:
        """A ticket for a look, which is the probe of a server that did not answer."""
        return self._breaker.begin_call()

    def note_answer(self) -> None:
        """A call or a look was answered."""
        self._breaker.record_success()

    def note_failure(self, ticket: int | None) -> None:
        """A call or a look was not answered; its ticket, if it had one."""
        if ticket is not None:
            self._breaker.record_failure(ticket)

    def distrust(self) -> None:
        """Call it no more until it has been looked at, which it is at once."""
        self.trusted = False
        self._looked.clear()
        self.look_soon.set()

    def note_look(self) -> None:
        """It has been looked at."""
        self._looked.set()
        self.observer.upstream_checked(self.name, self.label, self.trusted)

    async def wait_for_look(self, seconds: float) -> None:
        """Wait until it has been looked at, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._looked.wait()
        except TimeoutError:
            pass

    @contextmanager
    def carry(self, rows: int) -> Iterator[list[str]]:
        """A call of so many rows is in flight; what is appended is its outcome."""
        loop = asyncio.get_running_loop()
        started, outcome = loop.time(), ["cancelled"]
        self.in_flight += 1
        self._idle.clear()
        self.observer.replica_call_started("upstream", self.name, self.label, rows)
        try:
            yield outcome
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._idle.set()
            self.observer.replica_call_finished("upstream", self.name, self.label, loop.time() - started, outcome[-1])

    async def wait_until_idle(self) -> None:
        """Wait until no call is in flight."""
        await self._idle.wait()

    def _note_breaker(self, state: BreakerState) -> None:
        self.observer.replica_breaker_changed("upstream", self.name, self.label, state)
        if state == "open":  # calls that wait for it go to another
            self.trusted = False
            self.observer.upstream_checked(self.name, self.label, False)
            for timeout in self._timeouts:
                timeout.reschedule(0.0)

    # Calls

    @contextmanager
    def translate_timeout(self, timeout_s: float) -> Iterator[None]:
        """Translates the end of a call's time. Raises ReplicaFailed."""
        try:
            yield
        except TimeoutError:
            reason = Invalid("model_unavailable", f"{self.name} did not answer within {timeout_s:g} s.")
            raise ReplicaFailed(reason, timed_out=True) from None

    async def post(self, path: str, body: Any, timeout_s: float, method: str = "POST") -> Any:
        """The decoded answer to a request with a JSON body.

        Raises:
            ReplicaFailed: the server did not answer, or not now.
            Refused: it refuses this request.
        """
        assert self._http is not None, "the protocol has no form for gRPC"
        with self.translate_timeout(timeout_s):
            async with asyncio.timeout(timeout_s) as timeout:
                self._timeouts.add(timeout)
                try:
                    return await self._http.request(self.name, method, path, body)
                finally:
                    self._timeouts.discard(timeout)

    async def get(self, path: str) -> Any:
        """What a server tells of itself; None if it has no such path. Raises ReplicaFailed."""
        assert self._http is not None, "the protocol has no form for gRPC"
        try:
            with self.translate_timeout(LOOK_S):
                async with asyncio.timeout(LOOK_S):
                    return await self._http.request(self.name, "GET", path, None)
        except Refused:
            return None

    async def close(self) -> None:
        """Close the connections."""
        self.observer.replica_breaker_changed("upstream", self.name, self.label, "closed")
        self.observer.upstream_checked(self.name, self.label, None)
        for connection in (self._http, self.grpc):
            if connection is not None:
                await connection.close()
