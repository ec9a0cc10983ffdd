"""A request looks its scores up once, for all models together, and not at all where there is nothing to look up."""

from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.port import Entry
from reward_gateway.errors import NotFound
from reward_gateway.observer import UNOBSERVED
from reward_gateway.operations.effects import Vector
from reward_gateway.sample import Batch, Invalid
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.request_context import CacheMode, RequestContext
from reward_gateway.scoring.vector_scorer import VectorScorer
from reward_gateway.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

RESPONSES = ("a", "bb", "ccc")


class CountingCache(MemoryCache):
    """A cache that counts the keys of every lookup."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        super().__init__(1000, 60.0, observer=metrics or UNOBSERVED)
        self.lookups: list[int] = []

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        self.lookups.append(len(keys))
        return await super().get_many(keys)


class Models:
    """Models m0, m1 … that give the length of the response; each is replaced, while asked, so many times."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.replacements: dict[str, int] = {}

    async def models(self) -> list[ModelInfo]:
        return []

    async def info(self, name: str) -> ModelInfo:
        if not name.startswith("m"):
            raise NotFound("There is no such model.")
        version = str(self.versions.get(name, 1))
        return ModelInfo(name, version, True, ("prompt", "response"), ("logprob",), 64, vector=True)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        if self.replacements.get(name):
            self.replacements[name] -= 1
            self.versions[name] = self.versions.get(name, 1) + 1
        lengths = [float(len(str(batch.responses[row]))) for row in rows]
        vectors = {k: np.full(2, length, "<f4").tobytes() for k, length in enumerate(lengths)}
        values = np.array(lengths).reshape(-1, 1)
        return ModelAnswer(values, vectors=vectors, calls=1, version=str(self.versions.get(name, 1)))

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


def make_batch(invalid: Sequence[int] = ()) -> Batch:
    batch = Batch([""] * len(RESPONSES), ["p"] * len(RESPONSES), list(RESPONSES))
    batch.invalid.update(dict.fromkeys(invalid, Invalid("invalid_field", "The text is too long.")))
    return batch


async def score(
    models: Models, cache: CountingCache, names: Sequence[str], mode: CacheMode = "use", batch: Batch | None = None
) -> dict[str, list[float]]:
    scorer = CachedScorer(models, cache)
    answers = await scorer.fetch_scores(names, batch or make_batch(), RequestContext(cache=mode))
    return {name: scores.values[:, 0].tolist() for name, (scores, _) in answers.items()}


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_any_number_of_models_costs_one_lookup(count: int) -> None:
    cache, names = CountingCache(), [f"m{i}" for i in range(count)]
    for _ in range(2):
        assert await score(Models(), cache, names) == {name: [1.0, 2.0, 3.0] for name in names}
    assert cache.lookups == [3 * count, 3 * count]


async def test_only_samples_that_may_be_scored_are_looked_up() -> None:
    cache = CountingCache()
    await score(Models(), cache, ["m0", "m1"], batch=make_batch([1]))
    assert cache.lookups == [4]


@pytest.mark.parametrize("replacements", [1, 2, 9])
async def test_a_model_that_is_replaced_is_asked_again_without_another_lookup(replacements: int) -> None:
    cache, models = CountingCache(), Models()
    models.replacements["m1"] = replacements
    answers = await score(models, cache, ["m0", "m1", "m2"])
    assert answers["m0"] == answers["m2"] == [1.0, 2.0, 3.0]
    assert cache.lookups == [9]
    if replacements < 3:
        assert answers["m1"] == [1.0, 2.0, 3.0]
        assert await score(models, cache, ["m1"]) == {"m1": [1.0, 2.0, 3.0]}
        assert len(cache) == 9, "what the new version gave is remembered under the new version's keys"
    else:
        assert np.isnan(answers["m1"]).all()


@pytest.mark.parametrize("mode", get_args(CacheMode))
@pytest.mark.parametrize(
    ("names", "invalid"), [([], []), (["m0", "m1"], [0, 1, 2]), (["nobody"], []), (["nobody", "m0"], [0, 1, 2])]
)
async def test_where_there_is_nothing_to_look_up_there_is_no_lookup(
    names: list[str], invalid: list[int], mode: CacheMode
) -> None:
    cache = CountingCache()
    await score(Models(), cache, names, mode, make_batch(invalid))
    assert cache.lookups == []


@pytest.mark.parametrize("mode", ["off", "refresh"])
async def test_a_caller_who_does_without_the_cache_costs_no_lookup(mode: CacheMode) -> None:
    cache = CountingCache()
    assert await score(Models(), cache, ["m0"], mode) == {"m0": [1.0, 2.0, 3.0]}
    assert cache.lookups == []


@pytest.mark.parametrize(("mode", "lookups"), [("use", [3]), ("refresh", []), ("off", [])])
@pytest.mark.parametrize("replacements", [0, 1])
async def test_vectors_are_looked_up_once_as_well(mode: CacheMode, lookups: list[int], replacements: int) -> None:
    cache, models = CountingCache(), Models()
    models.replacements["m0"] = replacements
    vectors = await VectorScorer(models, cache).fetch_logprobs("m0", ["p"] * 3, RESPONSES, RequestContext(cache=mode))
    assert [vector.values.tolist() for vector in vectors if isinstance(vector, Vector)] == [[1, 1], [2, 2], [3, 3]]
    assert cache.lookups == lookups


async def test_no_texts_cost_no_lookup_of_vectors() -> None:
    cache = CountingCache()
    assert await VectorScorer(Models(), cache).fetch_logprobs("m0", [], [], RequestContext()) == []
    assert cache.lookups == []


async def test_the_latency_of_the_cache_counts_no_empty_calls() -> None:
    metrics = Metrics()
    cache = CountingCache(metrics)
    await cache.get_many([])
    await score(Models(), cache, ["m0", "m1"])
    await score(Models(), cache, ["m0"], batch=make_batch([0, 1, 2]))
    counted = 'reward_gateway_cache_call_duration_seconds_count{level="memory",operation="get"} 1.0'
    assert counted in metrics.render().decode().splitlines()
