"""One judge: a chat endpoint, called within its concurrency, its rate and the caller's deadline."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Protocol

import httpx

from reward_gateway.observer import Observer
from reward_gateway.sample import Invalid

from ..retries import TemporaryFailure, call_with_retries
from .config import JudgeConfig
from .rate_limiter import RateLimiter
from .replies import judge_failure, read_answer, read_refusal

CONNECT_S = 5.0
LARGEST_REPLY = 8 << 20

Conversation = Sequence[dict[str, Any]]


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


class ChatEndpoint:
    """Client of one judge. It follows no redirects and ignores proxies set in the environment."""

    def __init__(self, config: JudgeConfig, breaker: Breaker, observer: Observer) -> None:
        self.config = config
        self._breaker = breaker
        self._observer = observer
        self._slots = asyncio.Semaphore(config.concurrency)
        self._rate_limiter = RateLimiter(config.rate)
        key = config.api_key()
        headers = {"accept-encoding": "identity", "content-type": "application/json"}
        if key is not None:
            headers["authorization"] = f"Bearer {key.get_secret_value()}"
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=config.concurrency, max_keepalive_connections=config.concurrency),
            follow_redirects=False,
            trust_env=False,
        )

    async def ask(self, conversation: Conversation, temperature: float | None, deadline: float | None) -> str | Invalid:
        """Return the judge's answer, or the reason why there is none.

        Args:
            temperature: None for the judge's default.
            deadline: time on the loop's clock.
        """
        body = self._encode_request(conversation, temperature)
        try:
            async with asyncio.timeout_at(deadline), self._slots:
                return await call_with_retries(lambda: self._ask_in_turn(body), self.config.retries, deadline)
        except TimeoutError:
            return Invalid("deadline_exceeded", f"the deadline passed before the judge {self.config.name} answered")

    async def _ask_in_turn(self, body: bytes) -> str | Invalid:
        await self._rate_limiter.wait_for_turn()
        return await self._ask_through_breaker(body)

    async def _ask_through_breaker(self, body: bytes) -> str | Invalid:
        """One attempt, unless the breaker is open. Raises TemporaryFailure if a retry may help."""
        ticket = self._breaker.begin_call()
        probing = ticket is None
        if ticket is None:
            ticket = self._breaker.begin_probe()
        if ticket is None:
            return judge_failure(self.config.name, "has failed repeatedly and is not called for a moment")
        name, loop = self.config.name, asyncio.get_running_loop()
        started = loop.time()
        outcome, well = "cancelled", not probing  # a caller that leaves proves no fault, except of a probe
        self._observer.model_call_started(name, 1)
        try:
            reply = await self._post_question(body)
            outcome, well = "ok" if isinstance(reply, str) else "judge_error", True
        except TemporaryFailure as error:
            outcome, well = "judge_error", not error.down
            raise
        finally:
            self._observer.model_call_finished(name, 1, loop.time() - started, outcome)
            if not well:
                self._breaker.record_failure(ticket)
            elif outcome != "cancelled":
                self._breaker.record_success()
        return reply

    async def _post_question(self, body: bytes) -> str | Invalid:
        name = self.config.name
        try:
            async with (
                asyncio.timeout(self.config.timeout_s),
                self._client.stream("POST", self.config.url, content=body) as response,
            ):
                if response.status_code != 200:
                    return read_refusal(name, response.status_code, response.headers)
                reply = bytearray()
                async for piece in response.aiter_bytes():
                    reply += piece
                    if len(reply) > LARGEST_REPLY:
                        return judge_failure(name, "sent an answer over the size limit")
        except TimeoutError:
            raise TemporaryFailure(
                judge_failure(name, f"did not answer within {self.config.timeout_s:g} s"), retryable=False
            ) from None
        except httpx.TransportError:
            raise TemporaryFailure(judge_failure(name, "cannot be reached")) from None
        except httpx.HTTPError:
            return judge_failure(name, "sent a reply that cannot be read")
        return read_answer(name, bytes(reply))

    def _encode_request(self, conversation: Conversation, temperature: float | None) -> bytes:
        request = {
            **self.config.extra,
            "model": self.config.model,
            "messages": list(conversation),
            "temperature": self.config.temperature if temperature is None else temperature,
            "max_tokens": self.config.max_tokens,
            "stream": False,
        }
        return json.dumps(request).encode()

    async def close(self) -> None:
        await self._client.aclose()
