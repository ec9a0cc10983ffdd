"""One copy of an upstream: a server at an address, called over HTTP with JSON, and how it has been lately."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import httpx
import msgspec

from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Invalid

from .config import UpstreamConfig
from .failures import Refused, ReplicaFailed, read_refusal

CONNECT_S = 2.0
PROBE_S = 2.0
LARGEST_ANSWER = 64 << 20


class Breaker(Protocol):
    """Circuit breaker: whether a server that did not answer may be called."""

    def begin_call(self) -> int | None:
        """A ticket; None while the breaker is open."""

    def begin_probe(self) -> int | None:
        """A ticket for the one call that may test whether the server is back."""

    def record_success(self) -> None:
        """A call was answered."""

    def record_failure(self, ticket: int) -> None:
        """A call was not."""


class Replica:
    """Client of one server. It follows no redirects and ignores proxies set in the environment.

    Attributes:
        in_flight: calls that are not answered yet.
    """

    def __init__(
        self,
        name: str,
        url: str,
        config: UpstreamConfig,
        make_breaker: Callable[[], Breaker],
        observer: Observer = UNOBSERVED,
    ) -> None:
        self.name = name
        self.url = url
        self.in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._config = config
        self._breaker = make_breaker()
        self._observer = observer
        headers = {"accept-encoding": "identity", "content-type": "application/json"}
        if (key := config.api_key()) is not None:
            headers["authorization"] = f"Bearer {key.get_secret_value()}"
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=CONNECT_S),
            limits=httpx.Limits(
                max_connections=config.limits.in_flight + 2, max_keepalive_connections=config.limits.in_flight + 2
            ),
            follow_redirects=False,
            trust_env=False,
        )

    def take(self) -> None:
        """Count a call as in flight."""
        self.in_flight += 1
        self._idle.clear()

    def release(self) -> None:
        """Count a call as ended."""
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    async def wait_until_idle(self) -> None:
        """Wait until no call is in flight."""
        await self._idle.wait()

    def begin(self) -> int | None:
        """A ticket for a call, or for the one probe of a server that did not answer; None: it is not called now."""
        ticket = self._breaker.begin_call()
        return self._breaker.begin_probe() if ticket is None else ticket

    def finish(self, ticket: int, *, answered: bool) -> None:
        """Report how a call went that :meth:`begin` gave a ticket for."""
        if answered:
            self._breaker.record_success()
        else:
            self._breaker.record_failure(ticket)

    async def post(self, path: str, body: Any, timeout_s: float, method: str = "POST") -> Any:
        """The decoded answer to a request with a JSON body.

        Raises:
            ReplicaFailed: the server did not answer, or not now.
            Refused: it refuses this request.
        """
        return await self._request(method, path, msgspec.json.encode(body), timeout_s)

    async def get(self, path: str) -> Any:
        """What a server tells of itself; None if it has no such path. Raises ReplicaFailed."""
        try:
            return await self._request("GET", path, None, PROBE_S)
        except Refused:
            return None

    async def _request(self, method: str, path: str, content: bytes | None, timeout_s: float) -> Any:
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client.stream(method, f"{self.url}{path}", content=content) as response,
            ):
                answer = bytearray()
                async for piece in response.aiter_bytes():
                    answer += piece
                    if len(answer) > LARGEST_ANSWER:
                        raise Refused(Invalid("model_error", f"{self.name} sent an answer over the size limit."))
                if response.status_code != 200:
                    raise read_refusal(self.name, response.status_code, response.headers, bytes(answer))
        except TimeoutError:
            late = Invalid("model_unavailable", f"{self.name} did not answer within {timeout_s:g} s.")
            raise ReplicaFailed(late, timed_out=True) from None
        except httpx.HTTPError as error:
            away = Invalid("model_unavailable", f"{self.name} cannot be reached ({type(error).__name__}).")
            raise ReplicaFailed(away) from None
        try:
            return msgspec.json.decode(answer)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise Refused(Invalid("model_error", f"{self.name} sent an answer that is not JSON.")) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
