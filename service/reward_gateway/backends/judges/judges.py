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
    ) -> list[str | Invalid]:
        """Return the answers in the order of the conversations, or the reason for each that has none.

        At temperature 0 equal conversations are sent once; above it each is a separate draw.

        Raises:
            NotFound: there is no such judge.
        """
        endpoint = self._endpoints.get(judge)
        if endpoint is None:
            known = ", ".join(self._endpoints) or "none; REWARD_GATEWAY_JUDGES_FILE names them"
            raise NotFound(f"there is no judge with this name (judges: {known})")
        if (endpoint.config.temperature if temperature is None else temperature) > 0:
            return list(await asyncio.gather(*(endpoint.ask(c, temperature, deadline) for c in conversations)))
        keys = [json.dumps(list(conversation), sort_keys=True) for conversation in conversations]
        distinct = dict(zip(keys, conversations, strict=True))
        answers = await asyncio.gather(*(endpoint.ask(c, temperature, deadline) for c in distinct.values()))
        answer_of = dict(zip(distinct, answers, strict=True))
        return [answer_of[key] for key in keys]

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(endpoint.close() for endpoint in self._endpoints.values()))
