"""Attempts that end in every way in which a client or a server can lose a request, each at a chosen point.

Nothing here waits for a clock: the fate of an attempt strikes when the request gets to the point that it names.
"""

import asyncio
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from reward_gateway.backends.port import ModelAnswer
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import GatewayError, StateUnavailable
from reward_gateway.gateway import Gateway
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, Invalid
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.state.attempts import AttemptRecord, RedisAttempts, lease_key
from reward_gateway.state.cohorts import RedisCohorts
from reward_gateway.state.commits import RedisCommits, RedisKinds
from reward_gateway.state.epoch import StoreEpoch
from reward_gateway.state.redis_store import TIMEOUT_S
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites
from typing_extensions import override

from .conftest import RECIPES, FailingModels

Fate = Literal[
    "answered",
    "ignored",  # answered, and the client had stopped listening
    "model_away",
    "sample_lost",  # the model fails the first sample and scores the others
    "gone_while_scoring",
    "gone_while_joined",
    "gone_before_commit",
    "gone_after_commit",
    "store_lost_before_commit",
    "store_lost_after_commit",
    "killed_before_commit",  # the process does not even give the lease back
    "killed_after_commit",
]


@dataclass
class Struck:
    """The attempt of the running request: how it will end, and the task that is cancelled then."""

    fate: Fate
    task: "asyncio.Task[Any] | None" = None

    async def go(self) -> None:
        """The client is gone: the server cancels the request."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.Event().wait()

    async def strike(self, when: str) -> None:
        if self.fate in (f"gone_{when}", f"killed_{when}"):
            await self.go()
        if self.fate == f"store_lost_{when}":
            raise StateUnavailable("the connection broke")


struck: ContextVar[Struck] = ContextVar("struck")


class LossyModels(FailingModels):
    """A model whose callers meet their fates."""

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        await struck.get().strike("while_scoring")
        values = np.array([[float(str(batch.responses[row]))] for row in rows])
        if struck.get().fate == "model_away":
            reason = Invalid("model_unavailable", "the model is away")
            return ModelAnswer(np.full_like(values, np.nan), dict.fromkeys(range(len(rows)), reason), version="1")
        invalid = {0: Invalid("model_error", "the model failed")} if struck.get().fate == "sample_lost" else {}
        return ModelAnswer(values, invalid, calls=1, version="1")


class LossyCommits(RedisCommits):
    """Commits before and after which the request may be lost."""

    @override
    async def commit(self, writes: StateWrites, *records: AttemptRecord) -> None:
        await struck.get().strike("before_commit")
        await super().commit(writes, *records)
        await struck.get().strike("after_commit")


class LossyAttempts(RedisAttempts):
    """Attempts of a process that may be killed: then nobody gives its lease back, and in time it expires."""

    @override
    async def release_lease(self, address: str, token: str) -> None:
        if struck.get().fate.startswith("killed"):
            await self._client.delete(lease_key(address))
        else:
            await super().release_lease(address, token)


class LossyCohorts(RedisCohorts):
    """Cohorts whose members may leave once they have joined."""

    @override
    async def _wait_for_close(self, open_key: str, cohort: str, left_s: float) -> None:
        await struck.get().strike("while_joined")
        await super()._wait_for_close(open_key, cohort, left_s)


def lossy_gateway(url: str) -> Gateway:
    """A gateway as one more process would have it, over the shared store."""
    store = StateStore.connect(url, timeout_s=60.0)
    client = store.moments._client  # type: ignore[attr-defined]
    over = client, TIMEOUT_S, StoreEpoch()
    commits = LossyCommits(*over, RedisKinds.over(*over))
    store = replace(store, commits=commits, attempts=LossyAttempts(*over))
    runtime = EffectsRuntime(CachedScorer(LossyModels(), NullCache()), store, LossyCohorts(url))
    return Gateway(load_book(RECIPES), runtime)


@dataclass
class Client:
    """A client that sends one request until it has an answer for every sample.

    Attributes:
        send: sends the request to a gateway; gives the answer.
        attempts: gateway and fate of each attempt; after them the request is sent until it is answered.
        impatient: each attempt but the last is followed by the next while it is still at work.
        heard: the answers that the gateways gave.
    """

    send: Any
    attempts: list[tuple[int, Fate]]
    impatient: bool = False
    heard: list[Any] = field(default_factory=list)

    async def run(self, gateways: list[Gateway]) -> Any:
        """The final answer."""
        under_way = []
        for place, fate in self.attempts:
            task = asyncio.create_task(self._attempt(gateways[place], fate))
            under_way.append(task)
            if not self.impatient:
                await task
        await asyncio.gather(*under_way)
        await self._attempt(gateways[0], "answered")
        return self.heard[-1]

    async def _attempt(self, gateway: Gateway, fate: Fate) -> None:
        attempt = Struck(fate)

        async def serve() -> Any:
            struck.set(attempt)
            return await self.send(gateway)

        attempt.task = asyncio.create_task(serve())
        with suppress(asyncio.CancelledError, GatewayError):
            self.heard.append(await attempt.task)
