"""One judge: a chat endpoint, called within its concurrency, its rate and the caller's deadline."""

import asyncio
import json
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import httpx

from reward_gateway.observer import Observer
from reward_gateway.sample import Invalid

from ..outgoing_http import open_client
from ..retries import TemporaryFailure, call_with_retries
from .config import JudgeConfig
from .images import UnreadableImage, encode_images, has_images
from .parameters import Parameters
from .questions import Question
from .rate_limiter import RateLimiter, TokenLimiter
from .refusals import Refusal, read_refusal
from .replies import Completion, Reply, judge_failure, read_completion, read_failure
from .spending import Budget, LocalSpend, SpendStore

LARGEST_REPLY = 8 << 20
LONGEST_REFUSAL = 64 << 10


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
    """Client of one judge."""

    def __init__(
        self, config: JudgeConfig, breaker: Breaker, observer: Observer, spend: SpendStore | None = None
    ) -> None:
        self.config = config
        self._breaker = breaker
        self._observer = observer
        self._slots = asyncio.Semaphore(config.concurrency)
        self._rate_limiter = RateLimiter(config.rate)
        key = config.api_key()
        headers = {} if key is None else {"authorization": f"Bearer {key.get_secret_value()}"}
        self._token_limiter = TokenLimiter(config.tokens_per_minute)
        self._budget = Budget(config.name, config.daily_budget, spend or LocalSpend())
        self._parameters = Parameters(config)
        self.version = ""
        """Model and version as the server told them last; empty if that is not known."""
        self._client = open_client(headers, config.concurrency)

    async def ask(self, question: Question, deadline: float | None) -> Reply | Invalid:
        """Return the judge's answer, or the reason why there is none.

        Args:
            deadline: time on the loop's clock.
        """
        try:
            async with asyncio.timeout_at(deadline), self._slots:
                if has_images(question.conversation):
                    seen = await asyncio.to_thread(encode_images, question.conversation, self.config.max_side)
                    question = replace(question, conversation=seen)
                return await call_with_retries(partial(self._ask_in_turn, question), self.config.retries, deadline)
        except UnreadableImage as error:
            return Invalid("invalid_media", str(error))
        except TimeoutError:
            return Invalid("deadline_exceeded", f"the deadline passed before the judge {self.config.name} answered")

    def note_cached(self, answers: int) -> None:
        """Count questions whose answers were cached: they cost nothing."""
        self._observer.judge_cached(self.config.name, answers)

    def draws(self, temperature: float | None) -> bool:
        """Whether an answer is one of many: asked again, it may differ, as a temperature is sent above 0, or none.

        Args:
            temperature: that of the question; None: the judge's own.
        """
        sent = self._parameters.make(temperature).get("temperature")
        return sent is None or sent > 0

    async def _ask_in_turn(self, question: Question) -> Reply | Invalid:
        """One attempt, when it is its turn. Raises TemporaryFailure if a retry may help."""
        await self._token_limiter.wait_for_turn()
        await self._rate_limiter.wait_for_turn()
        if (over := await self._budget.check()) is not None:
            return over
        if question.tokens and not self._parameters.tells_tokens:
            return judge_failure(self.config.name, "refuses to tell log-probabilities, which this grade is made of")
        completion = await self._ask_through_breaker(question)
        await self._note(completion)
        answer = completion.answer
        if isinstance(answer, Invalid):
            if completion.again or (completion.drawn and self.draws(question.temperature)):
                raise TemporaryFailure(answer, down=completion.failing)
            return answer
        if question.tokens and not answer.tokens:
            return judge_failure(self.config.name, "told no log-probabilities, which this grade is made of")
        return answer

    async def _note(self, completion: Completion) -> None:
        """Count what a completion took, whether or not it has an answer, and remember who gave one."""
        prompt, answer = completion.prompt_tokens, completion.completion_tokens
        if isinstance(completion.answer, Reply):
            self.version = completion.answer.model
        elif not prompt + answer:
            return
        self._token_limiter.note(prompt + answer)
        cost = self.config.price.cost(prompt, answer) if self.config.price is not None else 0.0
        self._observer.judge_answered(self.config.name, prompt, answer, cost)
        await self._budget.add(cost)

    def parameters(self, question: Question) -> dict[str, Any]:
        """What a question is sent with, as far as it is known by now."""
        return self._parameters.make(question.temperature, question.schema, tokens=question.tokens)

    async def _ask_through_breaker(self, question: Question) -> Completion:
        """One attempt, unless the breaker is open. Raises TemporaryFailure if a retry may help."""
        ticket = self._breaker.begin_call()
        probing = ticket is None
        if ticket is None:
            ticket = self._breaker.begin_probe()
        if ticket is None:
            return Completion(judge_failure(self.config.name, "has failed repeatedly and is not called for a moment"))
        name, loop = self.config.name, asyncio.get_running_loop()
        started = loop.time()
        outcome, well = "cancelled", not probing  # a caller that leaves proves no fault, except of a probe
        self._observer.model_call_started(name, 1)
        try:
            completion = await self._post_question(question)
            outcome = "ok" if isinstance(completion.answer, Reply) else "judge_error"
            well = not completion.failing
        except TemporaryFailure as error:
            outcome, well = "judge_error", not error.down
            raise
        finally:
            self._observer.model_call_finished(name, 1, loop.time() - started, outcome)
            if not well:
                self._breaker.record_failure(ticket)
            elif outcome != "cancelled":
                self._breaker.record_success()
        return completion

    async def _post_question(self, question: Question) -> Completion:
        """One attempt; and another at once where the server refuses a parameter that can be left out or renamed."""
        while True:
            sent = self.parameters(question)
            answer = await self._post(question, sent)
            if not isinstance(answer, Refusal):
                return answer
            if answer.status not in (400, 422) or not self._parameters.learn(sent, answer.param, answer.message):
                return Completion(answer.explain(self.config.name, question.conversation))

    async def _post(self, question: Question, parameters: dict[str, Any]) -> Completion | Refusal:
        name = self.config.name
        request = {**parameters, "model": self.config.model, "messages": list(question.conversation)}
        body = json.dumps(request).encode()
        try:
            async with (
                asyncio.timeout(self.config.timeout_s),
                self._client.stream("POST", self.config.url, content=body) as response,
            ):
                if response.status_code != 200:
                    if (failure := read_failure(name, response.status_code, response.headers)) is not None:
                        return Completion(failure)
                    return read_refusal(response.status_code, await _read_start(response))
                reply = bytearray()
                async for piece in response.aiter_bytes():
                    reply += piece
                    if len(reply) > LARGEST_REPLY:
                        return Completion(judge_failure(name, "sent an answer over the size limit"))
        except TimeoutError:
            raise TemporaryFailure(
                judge_failure(name, f"did not answer within {self.config.timeout_s:g} s"), retryable=False
            ) from None
        except httpx.TransportError:
            raise TemporaryFailure(judge_failure(name, "cannot be reached")) from None
        except httpx.HTTPError:
            return Completion(judge_failure(name, "sent a reply that cannot be read"))
        return read_completion(name, bytes(reply))

    async def close(self) -> None:
        await self._client.aclose()


async def _read_start(response: httpx.Response) -> bytes:
    """The start of a body, as far as an error's message may reach."""
    start = bytearray()
    async for piece in response.aiter_bytes():
        start += piece
        if len(start) >= LONGEST_REFUSAL:
            break
    return bytes(start)
