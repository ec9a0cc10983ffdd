"""All judges by name: a list of conversations in, a list of answers in their order out."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from reward_gateway.errors import NotFound
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Invalid

from .config import JudgeConfig
from .endpoint import Breaker, ChatEndpoint
from .questions import Conversation, Question
from .replies import Reply


class Judges:
    """The configured judges.

    Args:
        make_breaker: makes the circuit breaker of one judge.
        observer: notified of every call, under the judge's name.

    Raises:
        JudgesFileError: a judge's API key is not in the environment.
    """

    def __init__(
        self,
        configs: Iterable[JudgeConfig],
        make_breaker: Callable[[], Breaker],
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._endpoints = {config.name: ChatEndpoint(config, make_breaker(), observer) for config in configs}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._endpoints)

    async def ask(
        self,
        judge: str,
        conversations: Sequence[Conversation],
        temperature: float | None = 0.0,
        deadline: float | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> list[str | Invalid]:
        """The texts of the answers, in the order of the conversations; see :meth:`answer`."""
        questions = [Question(conversation, temperature, schema) for conversation in conversations]
        replies = await self.answer(judge, questions, deadline)
        return [reply.text if isinstance(reply, Reply) else reply for reply in replies]

    async def answer(
        self, judge: str, questions: Sequence[Question], deadline: float | None = None
    ) -> list[Reply | Invalid]:
        """Return the answers in the order of the questions, or the reason for each that has none.

        At temperature 0 equal questions are sent once; above it each is a separate draw.

        Args:
            deadline: time on the loop's clock.

        Raises:
            NotFound: there is no such judge.
        """
        endpoint = self._endpoints.get(judge)
        if endpoint is None:
            known = ", ".join(self._endpoints) or "none; REWARD_GATEWAY_JUDGES_FILE names them"
            raise NotFound(f"there is no judge with this name (judges: {known})")
        keys = [_key(question, i if endpoint.draws(question) else 0) for i, question in enumerate(questions)]
        distinct = dict(zip(keys, questions, strict=True))
        replies = await asyncio.gather(*(endpoint.ask(question, deadline) for question in distinct.values()))
        reply_of = dict(zip(distinct, replies, strict=True))
        return [reply_of[key] for key in keys]

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(endpoint.close() for endpoint in self._endpoints.values()))


def _key(question: Question, draw: int) -> str:
    asked = [list(question.conversation), question.temperature, question.schema, question.top_logprobs, draw]
    return json.dumps(asked, sort_keys=True)
