"""One judge: a chat endpoint, called within its concurrency, its rate and the caller's deadline."""

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any, Protocol

import httpx
import stamina

from reward_gateway.observer import Observer
from reward_gateway.sample import Invalid

from .config import JudgeConfig
from .rate_limiter import RateLimiter
from .replies import TemporaryFailure, judge_failure, read_answer, read_refusal

CONNECT_S = 5.0
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0
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
                return await self._ask_with_retries(body, deadline)
        except TimeoutError:
            return Invalid("deadline_exceeded", f"the deadline passed before the judge {self.config.name} answered")

    async def _ask_with_retries(self, body: bytes, deadline: float | None) -> str | Invalid:
        """Retry until there is an answer, the failure is permanent, or the attempts or the deadline run out."""
        loop = asyncio.get_running_loop()
        failures = 0

        def pause_s(error: Exception) -> float | bool:
            """Seconds until the next attempt; False for none."""
            nonlocal failures
            if not isinstance(error, TemporaryFailure) or not error.retryable:
                return False
            pause = error.after_s if error.after_s is not None else _draw_pause_s(failures)
            failures += 1
            return False if deadline is not None and loop.time() + pause >= deadline else pause

        try:
            async for attempt in stamina.retry_context(pause_s, attempts=self.config.retries + 1, timeout=None):
                with attempt:
                    await self._rate_limiter.wait_for_turn()
                    return await self._ask_through_breaker(body)
        except TemporaryFailure as error:
            return error.reason
        return judge_failure(self.config.name, "was not called")

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


def _draw_pause_s(attempt: int) -> float:
    """Exponential backoff with 50 % jitter, so that calls that failed together are not retried together."""
    whole = min(FIRST_PAUSE_S * 2.0**attempt, LONGEST_PAUSE_S)
    return whole * (0.5 + 0.5 * random.random())
