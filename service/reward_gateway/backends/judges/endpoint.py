"""One judge: its replicas, called within its concurrency, its rate and the caller's deadline."""

import asyncio
import contextlib
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from reward_gateway.observer import Observer
from reward_gateway.sample import Invalid

from ..breaker import MakeBreaker
from ..hedging import FurtherCall, Hedging
from ..least_busy import LeastBusy
from ..retries import TemporaryFailure, call_with_retries
from ..time_limits import TimeLimits
from .config import JudgeConfig
from .images import UnreadableImage, encode_images, has_images
from .parameters import Parameters
from .questions import Question
from .rate_limiter import RateLimiter, TokenLimiter
from .replica import JudgeReplica
from .replies import Completion, Reply, judge_failure
from .spending import Budget, LocalSpend, SpendStore

log = structlog.get_logger(__name__)


class ChatEndpoint:
    """Client of one judge.

    Args:
        make_breaker: makes the circuit breaker of one replica.
    """

    def __init__(
        self,
        config: JudgeConfig,
        make_breaker: MakeBreaker,
        observer: Observer,
        spend: SpendStore | None = None,
    ) -> None:
        self.config = config
        self._observer = observer
        self._slots = asyncio.Semaphore(config.concurrency)
        self._rate_limiter = RateLimiter(config.rate)
        self._token_limiter = TokenLimiter(config.tokens_per_minute)
        self._budget = Budget(config.name, config.daily_budget, spend or LocalSpend())
        self._parameters = Parameters(config)
        self.version = ""
        """Model and version as the server told them last; empty if that is not known."""
        self._replicas = [
            JudgeReplica(config, url, self._parameters, make_breaker, observer) for url in config.chat_urls
        ]
        self._least_busy = LeastBusy()
        self._hedging = Hedging(partial(observer.call_hedged, "judge", config.name))
        self._time_limits = TimeLimits()
        self._probes: set[asyncio.Task[None]] = set()

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

    @property
    def is_away(self) -> bool:
        """None of its replicas is called: each has failed repeatedly."""
        return all(replica.left_alone for replica in self._replicas)

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

    def find_time_limit(self, problem: str) -> float | None:
        """How long a request about a problem may take; None: as long as any."""
        factor = self.config.adaptive_timeout
        return None if factor is None else self._time_limits.find(problem, factor, self.config.timeout_s)

    def parameters(self, question: Question) -> dict[str, Any]:
        """What a question is sent with, as far as it is known by now."""
        return self._parameters.of(question)

    async def _ask_in_turn(self, question: Question) -> Reply | Invalid:
        """One attempt, when it is its turn. Raises TemporaryFailure if a retry may help."""
        try:
            return await self._ask_once(question)
        except TemporaryFailure as failure:
            if failure.down and failure.retryable:
                failure.reason = replace(failure.reason, away=True)
            raise

    async def _ask_once(self, question: Question) -> Reply | Invalid:
        completion = await self._ask_replicas(question)
        if isinstance(completion, Invalid):
            return completion
        answer = completion.answer
        if isinstance(answer, Invalid):
            if completion.again or (completion.drawn and self.draws(question.temperature)):
                raise TemporaryFailure(answer, down=completion.failing)
            return answer
        if question.tokens and not answer.tokens:
            return judge_failure(self.config.name, "told no log-probabilities, which this grade is made of")
        return answer

    async def _ask_replicas(self, question: Question) -> Completion | Invalid:
        """What a replica says; the next is asked at once where one fails. Raises TemporaryFailure if all do."""
        tried: list[JudgeReplica] = []
        while True:
            if (over := await self._wait_for_turn()) is not None:
                return over
            if question.tokens and not self._parameters.tells_tokens:
                return judge_failure(self.config.name, "refuses to tell log-probabilities, which this grade is made of")
            chosen = self._least_busy.choose(self._replicas, tried)
            if chosen is None:
                return await self._ask_probing(question)
            self._probe_others(question)
            tried.append(chosen[0])
            try:
                return await self._ask_hedged(question, *chosen)
            except TemporaryFailure as failure:
                if not failure.retryable or not any(self._may_be_asked(other, tried) for other in self._replicas):
                    raise
                name, label = self.config.name, chosen[0].label
                log.warning("judge_replica_passed_over", judge=name, replica=label, once_per=f"{name} {label}")

    @staticmethod
    def _may_be_asked(replica: JudgeReplica, tried: list[JudgeReplica]) -> bool:
        return replica not in tried and replica.begin() is not None

    async def _wait_for_turn(self) -> Invalid | None:
        """Wait until one more call is within the rates; why there may be none, if so."""
        await self._token_limiter.wait_for_turn()
        await self._rate_limiter.wait_for_turn()
        return await self._budget.check()

    # A second replica for what takes long

    async def _ask_hedged(self, question: Question, replica: JudgeReplica, ticket: int) -> Completion:
        """What a replica says; or another one that is asked too where it takes long. Whatever was sent is charged.

        Only answers that would be the same wherever they come from are hedged: of answers that are drawn, the shorter
        one would be first. Raises TemporaryFailure if there is none.
        """
        ended: list[Completion] = []
        sent = failed = 0

        async def ask(replica: JudgeReplica, ticket: int) -> Completion:
            nonlocal sent, failed
            sent += 1
            began = asyncio.get_running_loop().time()
            try:
                completion = await replica.ask(question, ticket)
            except TemporaryFailure:
                failed += 1
                raise
            ended.append(completion)
            if isinstance(completion.answer, Invalid):
                raise _NoAnswer(completion)
            seconds = asyncio.get_running_loop().time() - began
            self._hedging.note_answer(seconds)
            if question.problem and self.config.adaptive_timeout is not None:
                self._time_limits.note_passing(question.problem, seconds)
            return completion

        async def choose_further() -> FurtherCall[Completion] | None:
            if self._slots.locked():
                return None
            other = self._least_busy.choose(self._replicas, [replica])
            if other is None or await self._wait_for_turn() is not None:
                return None
            return partial(ask_in_slot, *other)

        async def ask_in_slot(replica: JudgeReplica, ticket: int) -> Completion:
            async with self._slots:
                return await ask(replica, ticket)

        first = ask(replica, ticket)
        try:
            if self.config.hedge and not self.draws(question.temperature):
                completion = await self._hedging.first_answer(first, choose_further)
            else:
                completion = await first
        except _NoAnswer as fault:
            completion = fault.completion
        finally:
            for one in ended:
                await self._note(one)
        for _ in range(sent - failed - len(ended)):
            await self._note(completion)  # what the one that was cancelled took is not told: as much, at most
        return completion

    # Replicas that did not answer

    async def _ask_probing(self, question: Question) -> Completion:
        """What a replica says that is asked to find out whether it is back: none is known to answer."""
        for replica in self._replicas:
            if (ticket := replica.begin_probe()) is not None:
                completion = await replica.ask(question, ticket, probing=True)
                await self._note(completion)
                return completion
        reason = judge_failure(self.config.name, "has failed repeatedly and is not called for a moment")
        return Completion(replace(reason, away=True))

    def _probe_others(self, question: Question) -> None:
        """Ask replicas that did not answer the same, to find out whether they are back; nobody waits for them."""
        for replica in self._replicas:
            if (ticket := replica.begin_probe()) is not None:
                task = asyncio.get_running_loop().create_task(self._probe(replica, ticket, question))
                self._probes.add(task)
                task.add_done_callback(self._probes.discard)

    async def _probe(self, replica: JudgeReplica, ticket: int, question: Question) -> None:
        async with self._slots:
            if await self._wait_for_turn() is not None:
                replica.abandon_probe(ticket)
                return
            with contextlib.suppress(TemporaryFailure):
                await self._note(await replica.ask(question, ticket, probing=True))

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

    async def close(self) -> None:
        """Close the connections."""
        for task in self._probes:
            task.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
        await asyncio.gather(*(replica.close() for replica in self._replicas))


class _NoAnswer(Exception):
    """A replica answered, and its answer is none: another's may be one."""

    def __init__(self, completion: Completion) -> None:
        super().__init__()
        self.completion = completion
