"""One copy of a judge: a chat endpoint at an address, and whether it answers."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import httpx

from reward_gateway.observer import BreakerState, Observer
from reward_gateway.sample import Invalid

from ..breaker import MakeBreaker
from ..outgoing_http import open_client
from ..retries import TemporaryFailure
from .config import JudgeConfig
from .parameters import Parameters
from .questions import Question
from .refusals import Refusal, read_refusal
from .replies import Completion, Reply, judge_failure, read_completion, read_failure

LARGEST_REPLY = 8 << 20
LONGEST_REFUSAL = 64 << 10


class JudgeReplica:
    """A server of a judge.

    Args:
        url: where chat completions are asked for.
        parameters: what is sent beside model and messages; shared by the judge's replicas.

    Attributes:
        label: the host and port of its address, for logs and metrics.
        in_flight: calls that are not answered yet.
    """

    def __init__(
        self, config: JudgeConfig, url: str, parameters: Parameters, make_breaker: MakeBreaker, observer: Observer
    ) -> None:
        self.label = urlsplit(url).netloc
        self.in_flight = 0
        self._config, self._url, self._parameters = config, url, parameters
        self._observer = observer
        self._breaker = make_breaker(self._note_breaker)
        self._note_breaker("closed")
        key = config.api_key()
        headers = {} if key is None else {"authorization": f"Bearer {key.get_secret_value()}"}
        self._client = open_client(headers, config.concurrency)

    @property
    def left_alone(self) -> bool:
        """It failed repeatedly, and is not called until a probe of it succeeds."""
        return self.begin() is None

    def begin(self) -> int | None:
        """A ticket for a call; None while its breaker is open."""
        return self._breaker.begin_call()

    def begin_probe(self) -> int | None:
        """A ticket for the one call that may test whether it is back."""
        return self._breaker.begin_probe()

    def abandon_probe(self, ticket: int) -> None:
        """It was not asked after all, and is as it was."""
        self._breaker.record_failure(ticket)

    async def ask(self, question: Question, ticket: int, *, probing: bool = False) -> Completion:
        """What comes of a question. Raises TemporaryFailure if another try, or another replica, may have an answer."""
        name, loop = self._config.name, asyncio.get_running_loop()
        started = loop.time()
        outcome, well = "cancelled", not probing  # a caller that leaves proves no fault, except of a probe
        self.in_flight += 1
        self._observer.model_call_started(name, 1)
        self._observer.replica_call_started("judge", name, self.label, 1)
        try:
            completion = await self._post_question(question)
            outcome = "ok" if isinstance(completion.answer, Reply) else "judge_error"
            well = not completion.failing
        except TemporaryFailure as error:
            outcome, well = error.reason.code, not error.down
            raise
        finally:
            self.in_flight -= 1
            seconds = loop.time() - started
            self._observer.model_call_finished(name, 1, seconds, outcome)
            self._observer.replica_call_finished("judge", name, self.label, seconds, outcome)
            if not well:
                self._breaker.record_failure(ticket)
            elif outcome not in ("cancelled", "timeout"):  # one that was stopped early tells nothing of its server
                self._breaker.record_success()
        return completion

    def _note_breaker(self, state: BreakerState) -> None:
        self._observer.replica_breaker_changed("judge", self._config.name, self.label, state)

    async def _post_question(self, question: Question) -> Completion:
        """One attempt; and another at once where the server refuses a parameter that can be left out or renamed."""
        while True:
            sent = self._parameters.of(question)
            answer = await self._post(question, sent)
            if not isinstance(answer, Refusal):
                return answer
            if answer.status not in (400, 422) or not self._parameters.learn(sent, answer.param, answer.message):
                return Completion(answer.explain(self._config.name, question.conversation))

    async def _post(self, question: Question, parameters: dict[str, Any]) -> Completion | Refusal:
        name = self._config.name
        request = {**parameters, "model": self._config.model, "messages": list(question.conversation)}
        body = json.dumps(request).encode()
        timeout_s, own_s = self._config.timeout_s, question.limit_s
        try:
            async with (
                asyncio.timeout(timeout_s if own_s is None else min(own_s, timeout_s)),
                self._client.stream("POST", self._url, content=body) as response,
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
            if own_s is not None and own_s < timeout_s:
                words = f"the judge {name} was stopped after {own_s:.3g} s, its question's own limit (adaptive_timeout)"
                raise TemporaryFailure(Invalid("timeout", words), retryable=False, down=False) from None
            raise TemporaryFailure(
                judge_failure(name, f"did not answer within {timeout_s:g} s"), retryable=False
            ) from None
        except httpx.TransportError:
            raise TemporaryFailure(judge_failure(name, "cannot be reached")) from None
        except httpx.HTTPError:
            return Completion(judge_failure(name, "sent a reply that cannot be read"))
        return read_completion(name, bytes(reply))

    async def close(self) -> None:
        self._note_breaker("closed")
        await self._client.aclose()


async def _read_start(response: httpx.Response) -> bytes:
    """The start of a body, as far as an error's message may reach."""
    start = bytearray()
    async for piece in response.aiter_bytes():
        start += piece
        if len(start) >= LONGEST_REFUSAL:
            break
    return bytes(start)
