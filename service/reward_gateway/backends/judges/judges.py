"""All judges by name: a list of conversations in, a list of answers in their order out."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence

from reward_gateway.errors import NotFound
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Invalid

from .config import JudgeConfig
from .endpoint import Breaker, ChatEndpoint, Conversation


class Judges:
    """Asks configured judges.

    Args:
        make_breaker: makes the circuit breaker of one judge.
        observer: told of every call, under the judge's name.

    Raises:
        JudgesFileError: a judge's key is not in the environment.
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
    ) -> list[str | Invalid]:
        """The answers in the order of the conversations; a conversation without one has its reason.

        At temperature 0 equal conversations are one question and are asked once; above it each is a draw of its own.

        Raises:
            NotFound: there is no such judge.
        """
        endpoint = self._endpoints.get(judge)
        if endpoint is None:
            known = ", ".join(self._endpoints) or "none; REWARD_GATEWAY_JUDGES_FILE names them"
            raise NotFound(f"there is no judge of this name (judges: {known})")
        if (endpoint.config.temperature if temperature is None else temperature) > 0:
            return list(await asyncio.gather(*(endpoint.ask(c, temperature, deadline) for c in conversations)))
        keys = [json.dumps(list(conversation), sort_keys=True) for conversation in conversations]
        distinct = dict(zip(keys, conversations, strict=True))
        answers = await asyncio.gather(*(endpoint.ask(c, temperature, deadline) for c in distinct.values()))
        answer_of = dict(zip(distinct, answers, strict=True))
        return [answer_of[key] for key in keys]

    async def close(self) -> None:
        """Give the connections back."""
        await asyncio.gather(*(endpoint.close() for endpoint in self._endpoints.values()))
