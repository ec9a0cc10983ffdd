"""A gateway over models that fail on demand, and over a store of state that several gateways share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import ModelUnavailable
from reward_gateway.gateway import Gateway
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, Invalid
from reward_gateway.scoring import attempts
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.state.attempts import LocalAttempts, RedisAttempts, lease_key
from reward_gateway.state.cohorts import LocalCohorts, RedisCohorts
from reward_gateway.state.namespace import Namespace
from reward_gateway.state.store import StateStore

from tests.valkey import Valkey

RECIPES = """
rewards:
  scaled:
    components: {a: {score: model, transforms: [{running_scale: {stream: run}}]}}
  scaled_rule:
    components:
      rule: {score: given, inputs: {value: {feature: v}}, transforms: [{running_scale: {stream: run}}]}
      behind: {score: model}
    combine: {weighted_sum: {weights: {rule: 1.0, behind: 1.0}}}
  cohort:
    components: {a: {score: model}}
    group: {normalize: mean, cohort: {size: 3, timeout_s: 3600}}
  scaled_cohort:
    components: {a: {score: model, transforms: [{running_scale: {stream: run, clip: null}}]}}
    group: {normalize: mean, cohort: {size: 3, timeout_s: 3600}}
  plain:
    components: {a: {score: model}}
  staged:
    components:
      rule: {score: given, inputs: {value: {feature: v}}, transforms: [{running_scale: {stream: run, clip: null}}]}
      judged: {score: model, when: {rule: {above: 0}}, otherwise: 0}
      beside: {score: model, when: {has: features.beside}, otherwise: 0}
    combine: weighted_sum
  staged_moments:
    components:
      rule: {score: given, inputs: {value: {feature: v}}}
      judged:
        score: model
        when: {rule: {above: 0}}
        otherwise: 0
        transforms: [{running_scale: {stream: run}}]
    combine: weighted_sum
  constrained:
    components:
      reward: {score: model}
      harm: {score: given, inputs: {value: {feature: v}}}
    combine: {lagrangian: {cost: {component: harm}, name: harm}}
  kl:
    components: {a: {score: model}}
    credit: {kl_penalty: {name: kl, beta: 0.5, target: 0.1, horizon: 10}}
  staged_audit:
    components:
      rule: {score: given, inputs: {value: {feature: v}}}
      second: {score: model, audit: true}
"""


def open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


@dataclass
class FailingModels:
    """A model whose score of a response is the number that it says; away, or unable to score some, on demand.

    Attributes:
        gate: answers wait for it.
    """

    gate: asyncio.Event = field(default_factory=open_gate)
    away: bool = False
    unscorable: set[str] = field(default_factory=set)
    asked: int = 0

    async def models(self) -> list[ModelInfo]:
        return [await self.info("model")]

    async def info(self, name: str) -> ModelInfo:
        return ModelInfo("model", "1", True, ("prompt", "response"), ("score",), 64)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        self.asked += 1
        await self.gate.wait()
        if self.away:
            reason = Invalid("model_unavailable", "the model is away")
            return ModelAnswer(np.full((len(rows), 1), np.nan), dict.fromkeys(range(len(rows)), reason), version="1")
        invalid = {
            k: Invalid("model_error", "the model failed")
            for k, row in enumerate(rows)
            if batch.responses[row] in self.unscorable
        }
        values = [[np.nan if k in invalid else float(str(batch.responses[row]))] for k, row in enumerate(rows)]
        return ModelAnswer(np.array(values), invalid, calls=1, version="1")

    async def ready(self) -> bool:
        if self.away:
            raise ModelUnavailable("away")
        return True

    async def close(self) -> None: ...


def batch_of(*responses: float, group: str = "g", ids: list[str] | None = None, **columns: Any) -> Batch:
    """Samples whose score is their response."""
    texts: list[Any] = [str(response) for response in responses]
    names = ids or [str(i) for i in range(len(texts))]
    return Batch(names, ["p"] * len(texts), texts, group_names=[group] * len(texts), **columns)


@dataclass
class World:
    """Gateways over one store.

    Attributes:
        connect: a store and cohorts as one more process would have them.
        valkey: the server that holds them; None where they are in this process.
    """

    connect: Callable[[], tuple[StateStore, Any]]
    valkey: Valkey | None = None
    models: FailingModels = field(default_factory=FailingModels)
    gateways: list[Gateway] = field(default_factory=list)

    def gateway(self, **runtime: Any) -> Gateway:
        """One more gateway."""
        state, cohorts = self.connect()
        scorer = CachedScorer(self.models, NullCache())
        gateway = Gateway(load_book(RECIPES), EffectsRuntime(scorer, state, cohorts, **runtime))
        self.gateways.append(gateway)
        return gateway

    @property
    def state(self) -> StateStore:
        return self.gateways[0].runtime.state

    async def expire_lease(self, address: str | None) -> None:
        """What happens when the process that answers a request has not been heard of for long enough."""
        attempts = self.state.attempts
        if isinstance(attempts, LocalAttempts):
            attempts._attempts[address or ""].leased_until = 0.0
        else:
            assert isinstance(attempts, RedisAttempts)
            assert await attempts._client.delete(lease_key(address or "")) == 1

    async def joined(self, members: int) -> None:
        """Until so many have joined the cohorts that are open."""
        while await self._members() < members:
            await asyncio.sleep(0.01)

    async def _members(self) -> int:
        cohorts = self.gateways[0].runtime.cohorts
        if isinstance(cohorts, LocalCohorts):
            return sum(len(cohort.payloads) for cohort in cohorts._open.values())
        assert isinstance(cohorts, RedisCohorts)
        assert self.valkey is not None
        with self.valkey.client() as client:
            return sum(client.llen(key) for key in client.scan_iter("reward_gateway:*cohorts:members:*"))

    async def count(self, stream: str = "run", caller: str = "a") -> float:
        """How many numbers a caller's stream has seen."""
        return (await self.state.moments.within(Namespace(caller)).read(stream))[0]


@pytest.fixture(params=["in_process", "redis"])
async def world(
    request: pytest.FixtureRequest, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """An empty store of either home, and gateways over it."""
    if request.param == "in_process":
        own = StateStore.in_process(), LocalCohorts()
        found = World(lambda: own)
    else:
        valkey: Valkey = request.getfixturevalue("valkey_process")
        with valkey.client() as client:
            client.flushdb()
        # No machine is too slow for its time limits.
        monkeypatch.setattr(attempts, "REMEMBER_S", 60.0)
        found = World(lambda: (StateStore.connect(valkey.url, 60.0), RedisCohorts(valkey.url, 60.0)), valkey)
    yield found
    for gateway in found.gateways:
        await gateway.close()
