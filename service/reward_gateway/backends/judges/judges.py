"""All judges by name: a list of conversations in, a list of answers in their order out."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from reward_gateway.errors import JudgeNotFound
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Invalid

from ..breaker import MakeBreaker
from .cached_replies import decode_reply, encode_reply
from .config import JudgeConfig
from .endpoint import ChatEndpoint
from .questions import NOT_CACHED, CacheUse, Conversation, Question
from .replies import Reply
from .spending import SpendStore


class AnswerCache(Protocol):
    """Texts by name and owner."""

    async def get_many(self, owner: str, names: Sequence[str]) -> list[str | None]:
        """The texts in the order of the names, None for those that are not there."""

    def put_later(self, owner: str, texts: Sequence[tuple[str, str]]) -> None:
        """Queue names and texts to be written."""


class Judges:
    """The configured judges.

    Args:
        make_breaker: makes the circuit breaker of one replica of a judge.
        observer: notified of every call, under the judge's name.
        answers: cached answers; None: none are.
        spend: what judges with a budget have cost; None: kept by this process.

    Raises:
        JudgesFileError: a judge's API key is not in the environment.
    """

    def __init__(
        self,
        configs: Iterable[JudgeConfig],
        make_breaker: MakeBreaker,
        observer: Observer = UNOBSERVED,
        answers: AnswerCache | None = None,
        spend: SpendStore | None = None,
    ) -> None:
        self._answers, self._spend = answers, spend
        self._endpoints = {config.name: ChatEndpoint(config, make_breaker, observer, spend) for config in configs}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._endpoints)

    @property
    def away(self) -> tuple[str, ...]:
        """The judges that are not called at the moment, since they have failed repeatedly."""
        return tuple(name for name, endpoint in self._endpoints.items() if endpoint.is_away)

    async def ask(
        self,
        judge: str,
        conversations: Sequence[Conversation],
        temperature: float | None = None,
        deadline: float | None = None,
        schema: Mapping[str, Any] | None = None,
        draws: Sequence[int] | None = None,
        cache: CacheUse = NOT_CACHED,
    ) -> list[str | Invalid]:
        """The texts of the answers, in the order of the conversations; see :meth:`answer`."""
        numbers: Sequence[int | None] = draws or [None] * len(conversations)
        questions = [
            Question(conversation, temperature, schema, draw=draw)
            for conversation, draw in zip(conversations, numbers, strict=True)
        ]
        replies = await self.answer(judge, questions, deadline, cache)
        return [reply.text if isinstance(reply, Reply) else reply for reply in replies]

    async def answer(
        self,
        judge: str,
        questions: Sequence[Question],
        deadline: float | None = None,
        cache: CacheUse = NOT_CACHED,
    ) -> list[Reply | Invalid]:
        """Return the answers in the order of the questions, or the reason for each that has none.

        At temperature 0, or with the same ``draw``, equal questions are sent once; others are separate draws. What is
        sent once is cached, by judge, model and version as its server tells them (one that tells nothing is not
        cached), question and parameters. The version is the one that was told last, to this process or, until it is
        told one, to any other: it is kept with the answers.

        Args:
            deadline: time on the loop's clock.

        Raises:
            JudgeNotFound: there is no such judge.
        """
        endpoint = self._find(judge)
        repeated = [question.draw is not None or not endpoint.draws(question.temperature) for question in questions]
        keys = [_key(q, None if again else i) for i, (q, again) in enumerate(zip(questions, repeated, strict=True))]
        distinct = dict(zip(keys, questions, strict=True))
        cached = {key for key, again in zip(keys, repeated, strict=True) if again and cache.mode != "off"}
        reply_of: dict[str, Reply | Invalid] = {}
        if cache.mode == "use" and cached:
            reply_of = await self._look_up(endpoint, {key: distinct[key] for key in sorted(cached)}, cache.owner)
            endpoint.note_cached(sum(key in reply_of for key in keys))
        missing = [key for key in distinct if key not in reply_of]
        replies = await asyncio.gather(*(endpoint.ask(distinct[key], deadline) for key in missing))
        reply_of.update(zip(missing, replies, strict=True))
        if self._answers is not None:
            new = [(key, reply_of[key]) for key in missing if key in cached]
            told = [(key, reply) for key, reply in new if isinstance(reply, Reply) and reply.model]
            texts = [(_name(endpoint, distinct[key], reply.model), encode_reply(reply)) for key, reply in told]
            if texts:
                self._answers.put_later(cache.owner, [*texts, (_name_version(endpoint), endpoint.version)])
        return [reply_of[key] for key in keys]

    async def _look_up(
        self, endpoint: ChatEndpoint, questions: Mapping[str, Question], owner: str
    ) -> dict[str, Reply | Invalid]:
        """The cached answers to some questions."""
        if self._answers is None:
            return {}
        if not endpoint.version:
            (told,) = await self._answers.get_many(owner, [_name_version(endpoint)])
            endpoint.version = endpoint.version or told or ""  # the judge may have answered another meanwhile
        if not endpoint.version:
            return {}
        names = [_name(endpoint, question, endpoint.version) for question in questions.values()]
        found = await self._answers.get_many(owner, names)
        return {
            key: decode_reply(text, tokens=question.tokens)
            for (key, question), text in zip(questions.items(), found, strict=True)
            if text is not None
        }

    def may_say_otherwise(self, judge: str, temperature: float | None, attempt: int) -> bool:
        """Whether a question whose answer could not be read is worth asking again: not at temperature 0, and at most as
        often as the judge's ``retries`` say.

        Args:
            temperature: None: the judge's own.
            attempt: how often it was asked.

        Raises:
            JudgeNotFound: there is no such judge.
        """
        endpoint = self._find(judge)
        return attempt <= endpoint.config.retries and endpoint.draws(temperature)

    def find_fallback(self, judge: str) -> str | None:
        """The judge that scores while another is away; None if it has none. Raises NotFound."""
        return self._find(judge).config.fallback

    def find_time_limits(self, judge: str, problems: Sequence[str]) -> list[float | None] | None:
        """How long a request about each problem may take, in seconds, where it may not take as long as any; None: the
        judge has one limit for all. Raises NotFound."""
        endpoint = self._find(judge)
        if endpoint.config.adaptive_timeout is None:
            return None
        return [endpoint.find_time_limit(problem) for problem in problems]

    def read_version(self, judge: str) -> str:
        """Model and version as a judge's server told them last; empty if that is not known. Raises NotFound."""
        return self._find(judge).version

    @property
    def with_fallback(self) -> dict[str, str]:
        """The fallback of each judge that has one."""
        every = {name: endpoint.config.fallback for name, endpoint in self._endpoints.items()}
        return {name: fallback for name, fallback in every.items() if fallback is not None}

    def _find(self, judge: str) -> ChatEndpoint:
        endpoint = self._endpoints.get(judge)
        if endpoint is None:
            known = ", ".join(self._endpoints) or "none; REWARD_GATEWAY_JUDGES_FILE names them"
            raise JudgeNotFound(f"there is no judge with this name (judges: {known})")
        return endpoint

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(endpoint.close() for endpoint in self._endpoints.values()))
        if self._spend is not None:
            await self._spend.close()


def _key(question: Question, place: int | None) -> str:
    """What makes questions of one call the same; ``place``: of one that is asked by itself."""
    asked = [list(question.conversation), question.temperature, question.schema, question.tokens, question.draw]
    return json.dumps([*asked, place], sort_keys=True)


def _name_version(endpoint: ChatEndpoint) -> str:
    """What the version that a server told last is kept under."""
    return json.dumps(["version", *_who(endpoint)])


def _who(endpoint: ChatEndpoint) -> list[str]:
    """Whose answers they are: those of several replicas are those of one judge, wherever it runs."""
    return [endpoint.config.name, endpoint.config.base_url or "", endpoint.config.model]


def _name(endpoint: ChatEndpoint, question: Question, version: str) -> str:
    """What a cached answer depends on."""
    config = endpoint.config
    who = [*_who(endpoint), version]
    how = [endpoint.parameters(question), config.max_side, question.draw]
    return json.dumps([who, how, list(question.conversation)], sort_keys=True)
