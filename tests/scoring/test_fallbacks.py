"""A model that is away: its fallback scores whole requests, with moments of its own, and says so."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.errors import InvalidRecipe, ModelUnavailable, NotFound
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.sample import Batch, Invalid, Scored
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.scoring.readiness import find_lacks
from reward_gateway.state.namespace import NO_NAMESPACE
from reward_gateway.state.store import StateStore

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  plain: {components: {a: {score: main}}}
  pinned: {components: {a: {score: main@m}}}
  scaled: {components: {a: {score: main, transforms: [{running_normalise: {stream: run}}]}}}
  by_feature:
    components: {a: {score: main, transforms: [{running_scale: {stream: {feature: stream}, clip: null}}]}}
  constrained:
    components: {reward: {score: main}, cost: {score: given, inputs: {value: {feature: c}}}}
    combine: {lagrangian: {name: harm}}
  chained: {components: {a: {score: first}}}
  unlike: {components: {a: {score: lonely}}}
  staged:
    components:
      early: {score: main, when: {has: features.early}, otherwise: 0.0}
      rule: {score: length_penalty, when: {early: {at_least: 0}}, otherwise: 0.0}
      late: {score: main, when: {rule: {at_least: -1000}}, otherwise: 0.0}
    combine: {weighted_sum: {weights: {early: 0.0, rule: 0.0, late: 1.0}}}
"""

FALLBACKS = {"first": "main", "main": "spare", "lonely": "pair"}
VALUES = {"first": 5.0, "main": 1.0, "spare": 100.0, "lonely": 7.0}
"""What each model says of a response, for each of its characters; ``pair`` gives two numbers."""


@dataclass
class Models:
    """Models that are away on demand.

    Attributes:
        away: their names.
        leaves: models that go away once they have been asked.
        asked: names and responses of every call.
    """

    away: set[str] = field(default_factory=set)
    leaves: set[str] = field(default_factory=set)
    asked: list[tuple[str, list[str]]] = field(default_factory=list)

    async def models(self) -> list[ModelInfo]:
        return [await self.info(name) for name in (*VALUES, "pair")]

    async def info(self, name: str) -> ModelInfo:
        base, _, pinned = name.partition("@")
        if base not in (*VALUES, "pair"):
            raise NotFound("no such model")
        dimensions = ("x", "y") if base == "pair" else ("score",)
        fallback = "" if pinned else FALLBACKS.get(base, "")
        version = f"{base[0]}-1"
        return ModelInfo(
            name, version, base not in self.away, ("response",), dimensions, 64, versions=(version,), fallback=fallback
        )

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        base = name.partition("@")[0]
        responses = [str(batch.responses[i]) for i in rows]
        self.asked.append((base, responses))
        width = 2 if base == "pair" else 1
        if base in self.away:
            reason = Invalid("model_unavailable", f"{base} is away")
            return ModelAnswer(np.full((len(rows), width), np.nan), dict.fromkeys(range(len(rows)), reason))
        if base in self.leaves:
            self.away.add(base)
        values = np.array([[VALUES.get(base, 0.0) * len(response)] * width for response in responses])
        return ModelAnswer(values, calls=1, version=f"{base[0]}-1")

    async def close(self) -> None:
        pass


@dataclass
class Scoring:
    """A gateway over the models."""

    models: Models
    gateway: Gateway

    async def score(self, reward: str, *responses: str, features: list[Mapping[str, Any]] | None = None) -> Scored:
        size = len(responses)
        batch = Batch([str(i) for i in range(size)], ["p"] * size, list(responses), features=features)
        self.options = ScoreOptions(deadline=asyncio.get_running_loop().time() + 60.0)
        return await self.gateway.score(batch, reward, self.options)

    async def count(self, stream: str) -> float:
        """How many numbers the moments of a stream hold."""
        moments = self.gateway.runtime.state.within(NO_NAMESPACE).moments
        stored: Any = await moments.export_value(stream)
        return 0.0 if stored is None else float(stored["count"])


@pytest.fixture
async def scoring(anyio_backend: str) -> AsyncIterator[Scoring]:
    models = Models()
    runtime = EffectsRuntime(CachedScorer(models, MemoryCache(1000, 60.0)), StateStore.in_process())
    await runtime.refresh_models()
    yield Scoring(models, Gateway(load_book(RECIPES, runtime.known_models()), runtime))
    await runtime.workers.close()


def origin(scored: Scored, component: str = "a") -> tuple[str | None, str | None]:
    part = scored.components[component]
    return part.model, part.model_version


async def test_a_model_that_answers_has_no_use_for_its_fallback(scoring: Scoring) -> None:
    scored = await scoring.score("plain", "a", "bb")
    assert (scored.reward.tolist(), scored.flags, origin(scored)) == ([1.0, 2.0], {}, ("main", "m-1"))
    assert {name for name, _ in scoring.models.asked} == {"main"}


async def test_the_fallback_scores_while_the_model_is_away_and_says_so(scoring: Scoring) -> None:
    scoring.models.away = {"main"}
    scored = await scoring.score("plain", "a", "bb")
    assert (scored.reward.tolist(), origin(scored)) == ([100.0, 200.0], ("spare", "s-1"))
    assert scored.flags == {0: ("fallback",), 1: ("fallback",)}


async def test_what_the_model_had_answered_is_scored_by_the_fallback_with_the_rest(scoring: Scoring) -> None:
    await scoring.score("plain", "a")
    scoring.models.away = {"main"}
    scored = await scoring.score("plain", "a", "bb")
    assert scored.reward.tolist() == [100.0, 200.0]
    assert scored.flags == {0: ("fallback",), 1: ("fallback",)}


async def test_what_is_cached_of_the_model_needs_no_fallback(scoring: Scoring) -> None:
    await scoring.score("plain", "a", "bb")
    scoring.models.away = {"main"}
    scored = await scoring.score("plain", "bb", "a")
    assert (scored.reward.tolist(), scored.flags) == ([2.0, 1.0], {})


async def test_what_the_fallback_says_is_cached_under_its_own_name(scoring: Scoring) -> None:
    scoring.models.away = {"main"}
    await scoring.score("plain", "a")
    scored = await scoring.score("plain", "a")
    assert (scored.reward.tolist(), scored.usage.cache_hits) == ([100.0], 1)
    assert scoring.options.fixed is None  # it is scored again when the model is back
    scoring.models.away = set()
    back = await scoring.score("plain", "a")
    assert (back.reward.tolist(), back.flags) == ([1.0], {})


async def test_where_both_are_away_the_samples_fail_as_without_a_fallback(scoring: Scoring) -> None:
    await scoring.score("plain", "a")
    scoring.models.away = {"main", "spare"}
    scored = await scoring.score("plain", "a", "bb")
    assert scored.reward[0] == 1.0
    assert (scored.invalid[1].code, scored.invalid[1].message) == ("model_unavailable", "main is away")
    assert scored.flags == {}


async def test_a_fallback_may_have_one_of_its_own(scoring: Scoring) -> None:
    scoring.models.away = {"first", "main"}
    scored = await scoring.score("chained", "a")
    assert (scored.reward.tolist(), origin(scored)) == ([100.0], ("spare", "s-1"))


async def test_a_version_that_is_named_has_no_fallback(scoring: Scoring) -> None:
    scoring.models.away = {"main"}
    with pytest.raises(ModelUnavailable):
        await scoring.score("pinned", "a")


async def test_a_fallback_with_other_numbers_is_not_used(scoring: Scoring) -> None:
    scoring.models.away = {"lonely"}
    with pytest.raises(ModelUnavailable, match="lonely is away"):
        await scoring.score("unlike", "a")


async def test_the_moments_of_the_fallback_are_its_own(scoring: Scoring) -> None:
    await scoring.score("scaled", "a", "bb", "ccc")
    scoring.models.away = {"main"}
    await scoring.score("scaled", "dd", "eee")
    assert (await scoring.count("run"), await scoring.count("run@spare")) == (3, 2)


async def test_streams_that_samples_name_are_its_own_too(scoring: Scoring) -> None:
    scoring.models.away = {"main"}
    await scoring.score("by_feature", "a", "bb", features=[{"stream": "x"}, {"stream": "x"}])
    assert (await scoring.count("x"), await scoring.count("x@spare")) == (0, 2)


async def test_the_multiplier_that_the_fallback_moves_is_its_own(scoring: Scoring) -> None:
    await scoring.score("constrained", "a", features=[{"c": 1.0}])
    scoring.models.away = {"main"}
    scored = await scoring.score("constrained", "b", features=[{"c": 1.0}])
    assert scored.reward.tolist() == [99.0], "it begins anew"
    read = scoring.gateway.runtime.state.within(NO_NAMESPACE).coefficients.read
    assert (await read("harm"), await read("harm@spare")) == (1.1, 1.1)


async def test_a_model_that_leaves_between_two_stages_scores_no_part_of_the_second(scoring: Scoring) -> None:
    scoring.models.leaves = {"main"}
    scored = await scoring.score("staged", "a", "bb", features=[{"early": 1.0}, {}])
    assert scored.components["early"].value.tolist() == [1.0, 0.0]
    assert scored.components["late"].value.tolist() == [100.0, 200.0]
    assert origin(scored, "late") == ("spare", "s-1")


async def test_a_recipe_is_ready_while_the_fallback_answers(scoring: Scoring) -> None:
    book = scoring.gateway.book
    scoring.models.away = {"main"}
    assert set(await find_lacks(book, scoring.gateway.runtime)) == {"pinned"}
    scoring.models.away = {"main", "spare"}
    assert "plain" in await find_lacks(book, scoring.gateway.runtime)


@pytest.mark.parametrize(
    "components",
    [
        "{a: {score: rm}}",
        "{a: {score: {by: metadata.task, cases: {x: {score: rm}}, default: invalid}}}",
        "{a: {score: judge_rubric, params: {judge: strict}}}",
    ],
)
def test_a_cohort_refuses_what_has_a_fallback(components: str) -> None:
    recipe = f"rewards:\n  r:\n    components: {components}\n    group: {{normalize: mean, cohort: {{size: 4}}}}\n"
    models = {"rm": KnownModel(("response",), ("score",), fallback="spare")}
    with pytest.raises(InvalidRecipe, match="has a fallback") as raised:
        load_book(recipe, models, judges={"strict": "mild"})
    (fault,) = raised.value.faults or []
    assert fault["path"] == "rewards.r.group.cohort"
    without = {"rm": KnownModel(("response",), ("score",))}
    assert load_book(recipe, without)
