"""Numbers for tokens and steps: remembered by text and version, and never a failure in their place."""

import asyncio
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.errors import InvalidRequest, ModelUnavailable, NotFound
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.operations.effects import ScoreSteps, TokenLogprobs, Vector
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, Invalid, Usage
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.scoring.request_context import CacheMode, RequestContext

from tests.clock import turns

pytestmark = pytest.mark.anyio


class LanguageModels:
    """A server of a language model that gives a token a letter, and of a model that is none."""

    def __init__(self) -> None:
        self.asked: list[list[tuple[str, str]]] = []
        self.version = self.answers_with = "1"
        self.wait = asyncio.Event()
        self.wait.set()

    async def models(self) -> list[ModelInfo]:
        return [await self.info("lm")]

    async def info(self, name: str) -> ModelInfo:
        if name == "steps":
            every = ("prompt", "response", "messages", "steps")
            return ModelInfo(name, self.version, True, every, ("min",), 64, vector=True)
        if name not in ("lm", "judge"):
            raise NotFound(f"There is no model '{name}' on the model server.")
        inputs, flags = ("prompt", "response", "messages"), ("truncated",)
        return ModelInfo(name, self.version, True, inputs, ("logprob",), 64, flags, vector=name == "lm")

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        texts = [(str(batch.prompts[i]), str(batch.responses[i])) for i in rows]
        self.asked.append(texts)
        await self.wait.wait()
        self.version = self.answers_with
        answer = ModelAnswer(np.zeros((len(rows), 1)), calls=1, version=self.version)
        for k, (context, continuation) in enumerate(texts):
            if not continuation:
                answer.invalid[k] = Invalid("invalid_field", "The response is empty.")
            elif continuation != "lost":
                answer.vectors[k] = np.full(len(continuation), -float(self.version), "<f4").tobytes()
            if context == "long":
                answer.flags[k] = ("truncated",)
        return answer

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


@pytest.fixture
def models(anyio_backend: str) -> LanguageModels:
    return LanguageModels()


@pytest.fixture
def runtime(models: LanguageModels) -> EffectsRuntime:
    return EffectsRuntime(CachedScorer(models, MemoryCache(1000, 60.0)))


async def ask(
    runtime: EffectsRuntime, *pairs: tuple[str, str], model: str = "lm", **asking: Any
) -> list[Vector | Invalid]:
    contexts, continuations = zip(*pairs, strict=True)
    answers: list[Vector | Invalid] = await runtime.answer_effect(
        TokenLogprobs(contexts, continuations, model), RequestContext(**asking)
    )
    return answers


def values(answer: Vector | Invalid) -> list[float]:
    assert isinstance(answer, Vector)
    return [float(value) for value in answer.values]


async def test_vectors_of_any_length_are_cached_with_their_flags(
    runtime: EffectsRuntime, models: LanguageModels
) -> None:
    first = await ask(runtime, ("a", "xyz"), ("long", "x"), ("a", "xyz"))
    again = await ask(runtime, ("long", "x"), ("a", "xyz"))
    assert [values(answer) for answer in first] == [[-1.0] * 3, [-1.0], [-1.0] * 3]
    assert [answer.flags for answer in again if isinstance(answer, Vector)] == [("truncated",), ()]
    assert models.asked == [[("a", "xyz"), ("long", "x")]], "equal pairs are asked once, and then never again"


async def test_a_text_that_the_model_gave_no_numbers_for_has_a_reason_and_is_asked_again(
    runtime: EffectsRuntime, models: LanguageModels
) -> None:
    for _ in range(2):
        found, lost = await ask(runtime, ("a", "xyz"), ("a", "lost"))
        assert values(found) == [-1.0] * 3
        assert isinstance(lost, Invalid)
        assert lost.code == "model_error"
    assert models.asked == [[("a", "xyz"), ("a", "lost")], [("a", "lost")]]


@pytest.mark.parametrize(("mode", "asked", "again"), [("use", 1, 1), ("refresh", 2, 2), ("off", 2, 3)])
async def test_a_caller_may_do_without_what_is_remembered(
    runtime: EffectsRuntime, models: LanguageModels, mode: str, asked: int, again: int
) -> None:
    usage = Usage()
    for _ in range(2):
        found = await ask(runtime, ("a", "xyz"), ("b", "x"), cache=mode, usage=usage)
        assert [values(answer) for answer in found] == [[-1.0] * 3, [-1.0]]
    assert (len(models.asked), usage.model_calls) == (asked, asked)
    await ask(runtime, ("a", "xyz"))
    assert len(models.asked) == again, "what was asked anew is remembered, unless the cache is off"


async def test_context_and_continuation_are_told_apart(runtime: EffectsRuntime, models: LanguageModels) -> None:
    await ask(runtime, ("ab", "c"))
    await ask(runtime, ("a", "bc"))
    assert len(models.asked) == 2


async def test_a_reason_is_no_number_and_is_not_remembered(runtime: EffectsRuntime, models: LanguageModels) -> None:
    for _ in range(2):
        refused, fine = await ask(runtime, ("a", ""), ("a", "x"))
        assert isinstance(refused, Invalid)
        assert refused.code == "invalid_field"
        assert values(fine) == [-1.0]
    assert models.asked == [[("a", ""), ("a", "x")], [("a", "")]]


async def test_requests_in_flight_share_the_work(runtime: EffectsRuntime, models: LanguageModels) -> None:
    models.wait.clear()
    asks = [asyncio.create_task(ask(runtime, ("a", "x"))) for _ in range(10)]
    await turns()
    models.wait.set()
    assert [values(answer) for [answer] in await asyncio.gather(*asks)] == [[-1.0]] * 10
    assert len(models.asked) == 1


async def test_a_batch_never_mixes_two_versions(runtime: EffectsRuntime, models: LanguageModels) -> None:
    await ask(runtime, ("a", "x"))
    models.answers_with = "2"
    assert [values(answer) for answer in await ask(runtime, ("a", "x"), ("a", "y"))] == [[-2.0], [-2.0]]


async def test_vectors_and_scores_of_one_text_have_entries_of_their_own(
    runtime: EffectsRuntime, models: LanguageModels
) -> None:
    await ask(runtime, ("a", "x"))
    scores, _ = (await runtime.raw.fetch_scores(["lm"], Batch([""], ["a"], ["x"]), RequestContext()))["lm"]
    assert scores.values.tolist() == [[0.0]]
    assert len(models.asked) == 2


async def test_a_model_that_is_not_there_says_what_to_run(runtime: EffectsRuntime) -> None:
    with pytest.raises(ModelUnavailable, match="reward-gateway models build language_model"):
        await ask(runtime, ("a", "x"), model="language_model")


async def test_a_model_of_another_kind_is_refused(runtime: EffectsRuntime) -> None:
    with pytest.raises(InvalidRequest, match="not a language model"):
        await ask(runtime, ("a", "x"), model="judge")


async def steps_of(runtime: EffectsRuntime, model: str, *answers: list[str] | None) -> list[Vector | Invalid]:
    n = len(answers)
    batch = Batch([""] * n, ["q"] * n, ["One.\n\nTwo."] * n, steps=list(answers))
    found: list[Vector | Invalid] = await runtime.answer_effect(ScoreSteps(model, batch), RequestContext())
    return found


async def test_steps_are_remembered_by_how_the_answer_is_cut(runtime: EffectsRuntime, models: LanguageModels) -> None:
    for _ in range(2):
        found = await steps_of(runtime, "steps", None, ["One.", "Two."], ["One.\n\nTwo."], ["One.", "Two."], [])
        assert [values(answer) for answer in found] == [[-1.0] * 10] * 5
    assert [len(texts) for texts in models.asked] == [3]


async def test_an_answer_that_was_invalid_before_is_not_asked_for(
    runtime: EffectsRuntime, models: LanguageModels
) -> None:
    batch = Batch([""] * 2, ["q"] * 2, ["One.", "Two."], steps=[None, None])
    batch.invalid[0] = reason = Invalid("invalid_field", "no")
    first, second = await runtime.answer_effect(ScoreSteps("steps", batch), RequestContext())
    assert first is reason
    assert values(second) == [-1.0] * 4
    assert models.asked == [[("q", "Two.")]]


@pytest.mark.parametrize("model", ["lm", "judge"])
async def test_a_model_that_judges_no_steps_is_refused(runtime: EffectsRuntime, model: str) -> None:
    with pytest.raises(InvalidRequest, match="not a process reward model"):
        await steps_of(runtime, model, None)


async def test_a_process_model_that_is_not_there_is_not_found(runtime: EffectsRuntime) -> None:
    with pytest.raises(NotFound):
        await steps_of(runtime, "nothing", None)


async def test_a_process_model_that_a_recipe_awaits_is_no_callers_mistake(runtime: EffectsRuntime) -> None:
    """The same reason as of any model that is not served: another attempt may succeed."""
    recipes = """
    rewards:
      r:
        awaits: {nothing: {}}
        components: {a: {score: process_reward, params: {model: nothing}, transforms: [aggregate]}}
    """
    gateway = Gateway(load_book(recipes), runtime)
    with pytest.raises(ModelUnavailable, match="no model 'nothing'"):
        await gateway.score(Batch(["0"], ["q"], ["One.\n\nTwo."]), "r", ScoreOptions())


async def test_a_request_says_what_its_operations_asked_and_how_long_it_took(
    runtime: EffectsRuntime, models: LanguageModels
) -> None:
    recipes = "rewards: {r: {components: {a: {score: perplexity, params: {model: lm}}}}}"
    gateway = Gateway(load_book(recipes), runtime)
    asked: list[tuple[CacheMode, int]] = [("use", 1), ("use", 0), ("refresh", 1), ("off", 1)]
    for mode, calls in asked:
        batch = Batch(["0", "1"], ["q", "q"], ["xy", "z"])
        scored = await gateway.score(batch, "r", ScoreOptions(cache=mode))
        assert scored.reward.tolist() == pytest.approx([np.e, np.e])
        assert scored.usage.model_calls == calls, mode
        assert min(scored.timing_ms.values()) >= 0
        assert (scored.timing_ms["inference"] > 0) == (calls > 0), mode
    assert len(models.asked) == 3
