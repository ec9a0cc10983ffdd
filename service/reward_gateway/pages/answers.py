"""Compute the answer to a worked example in isolation: no models, and state that is discarded afterwards."""

from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import GatewayError, NotFound
from reward_gateway.operations.apply import apply
from reward_gateway.operations.registry import Operation
from reward_gateway.operations.worked_examples import WorkedExample
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime, run_effects
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.state.store import StateStore


class NoModels:
    """A model server without models."""

    async def models(self) -> list[ModelInfo]:
        return []

    async def info(self, name: str) -> ModelInfo:
        raise NotFound(f"there is no model {name}")

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        raise NotFound(f"there is no model {name}")

    async def close(self) -> None: ...


async def compute_answer(operation: Operation, example: WorkedExample) -> list[object] | None:
    """Results of the service for an example; None if they need a model, a judge or the sandbox."""
    if example.given:
        return None
    runtime = EffectsRuntime(CachedScorer(NoModels(), NullCache()), StateStore.in_process())
    try:
        return list(await run_effects(apply(operation, example.items, example.params), runtime, RequestContext()))
    except GatewayError:
        return None
    finally:
        await runtime.close()
