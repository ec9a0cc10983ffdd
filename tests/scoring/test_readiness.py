"""Which recipes cannot answer now, with the first reason of each."""

from dataclasses import replace
from typing import Any

import pytest
from reward_gateway.backends.port import ModelInfo
from reward_gateway.backends.remote_sandboxes.config import SandboxConfig
from reward_gateway.backends.remote_sandboxes.remote_sandboxes import RemoteSandboxes
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import GatewayError, ModelUnavailable, NotFound, NotSetUp
from reward_gateway.gateway import Gateway
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.sample import Batch, Scored
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.scoring.readiness import Lack, Readiness, find_lacks

from tests.scoring.conftest import FailingModels

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  served: {components: {a: {score: model}}}
  loading: {components: {a: {score: slow}}}
  absent: {components: {a: {score: none}, b: {score: gone}}, combine: weighted_sum}
  named: {components: {a: {score: process_reward, params: {model: gone}, transforms: [aggregate]}}}
  unnamed: {components: {a: {score: likelihood}}}
  judged: {components: {a: {score: judge_rubric, params: {judge: strict}}}}
  remote: {components: {a: {score: code_stdio, params: {sandbox: far}}}}
  plain: {components: {a: {score: given}}}
"""


class Models(FailingModels):
    """Three models: one is ready, one is loading, one is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_up: list[str] = []

    async def info(self, name: str) -> ModelInfo:
        self.looked_up.append(name)
        if name in ("none", "gone"):
            raise NotFound(f"there is no {name}")
        return replace(await super().info(name), name=name, ready=name != "slow")


class Judges:
    def __init__(self, *names: str) -> None:
        self.names = names


async def missing(models: Models | None = None, **parts: Any) -> dict[str, str]:
    runtime = EffectsRuntime(CachedScorer(models or Models(), NullCache()), **parts)
    return {name: lack.reason for name, lack in (await find_lacks(load_book(RECIPES), runtime)).items()}


async def test_each_recipe_that_cannot_answer_has_its_first_reason() -> None:
    found = await missing()
    assert found.keys() == {"loading", "absent", "named", "judged", "remote"}
    assert "'slow' is not ready" in found["loading"]
    assert found["absent"] == "there is no none"
    assert found["named"] == "there is no gone"
    assert "there is no judge 'strict'" in found["judged"]
    assert "REWARD_GATEWAY_JUDGES_FILE" in found["judged"]
    assert found["remote"] == "there is no sandbox 'far'; REWARD_GATEWAY_SANDBOXES_FILE names them"


async def test_a_judge_that_is_there_is_no_reason() -> None:
    assert "judged" not in await missing(judges=Judges("mild", "strict"))
    assert "judged" in await missing(judges=Judges("mild"))


async def test_a_remote_sandbox_that_is_declared_is_no_reason() -> None:
    declared = RemoteSandboxes([SandboxConfig(name="far", url="http://far", protocol="piston")])
    assert "remote" not in await missing(remote_sandboxes=declared)


async def test_a_model_of_several_recipes_is_looked_up_once() -> None:
    models = Models()
    await missing(models)
    assert sorted(models.looked_up) == ["gone", "model", "none", "slow"]


def test_the_gateway_is_ready_while_its_default_recipe_can_answer() -> None:
    assert Readiness("r").ready
    assert Readiness("r", {"other": Lack("why")}).ready
    assert not Readiness("r", {"r": Lack("why")}).ready


async def test_an_awaited_model_is_named_and_the_other_recipes_are_ready() -> None:
    text = RECIPES + "  awaiting: {awaits: {gone: {}}, components: {a: {score: gone}}}\n"
    book = load_book(text, {name: KnownModel() for name in ("model", "slow", "none", "gone")})
    runtime = EffectsRuntime(CachedScorer(Models(), NullCache()))
    found = await find_lacks([book.get("awaiting"), book.get("served")], runtime)
    assert found == {"awaiting": Lack("there is no gone", not_set_up=True)}


async def test_an_awaited_model_that_was_served_and_is_gone_is_broken() -> None:
    class Leaving(Models):
        left = False

        async def info(self, name: str) -> ModelInfo:
            if self.left:
                raise NotFound(f"there is no {name}")
            return await super().info(name)

    text = RECIPES + "  awaiting: {awaits: {model: {}}, components: {a: {score: model}}}\n"
    plan, models = load_book(text).get("awaiting"), Leaving()
    runtime = EffectsRuntime(CachedScorer(models, NullCache()))
    assert await find_lacks([plan], runtime) == {}
    models.left = True
    assert await find_lacks([plan], runtime) == {"awaiting": Lack("there is no model")}


async def test_what_is_not_set_up_is_told_from_what_is_broken() -> None:
    text = (
        RECIPES
        + """
  awaiting: {awaits: {slow: {}}, components: {a: {score: slow}}}
  both: {components: {a: {score: slow}, b: {score: judge_rubric, params: {judge: strict}}}, combine: weighted_sum}
"""
    )
    lacks = await find_lacks(load_book(text), EffectsRuntime(CachedScorer(Models(), NullCache())))
    assert {name for name, lack in lacks.items() if lack.not_set_up} == {"judged", "remote"}
    readiness = Readiness("served", lacks)
    assert readiness.failing.keys() == {"loading", "absent", "named", "awaiting", "both"}
    assert readiness.missing.keys() == lacks.keys()
    assert "'slow' is not ready" in lacks["both"].reason, "what is broken comes before what is not set up"


# What a request is told

CONDITIONAL = """
rewards:
  judged:
    components:
      right: {score: given, inputs: {value: {feature: right}}}
      quality: {score: judge_rubric, params: {judge: strict}, when: {right: {at_least: 1}}, otherwise: 0}
    combine: weighted_sum
  remote:
    components:
      right: {score: given, inputs: {value: {feature: right}}}
      code: {score: code_stdio, params: {sandbox: far}, when: {right: {at_least: 1}}, otherwise: 0}
    combine: weighted_sum
  absent:
    awaits: {gone: {}}
    components:
      right: {score: given, inputs: {value: {feature: right}}}
      quality: {score: gone, when: {right: {at_least: 1}}, otherwise: 0}
    combine: weighted_sum
  named:
    awaits: {gone: {}}
    components:
      right: {score: given, inputs: {value: {feature: right}}}
      steps:
        score: process_reward
        params: {model: gone}
        transforms: [aggregate]
        when: {right: {at_least: 1}}
        otherwise: 0
    combine: weighted_sum
  audited:
    awaits: {gone: {}}
    components:
      right: {score: given, inputs: {value: {feature: right}}}
      second: {score: judge_rubric, params: {judge: strict}, audit: true}
      third: {score: gone, audit: true}
  routed:
    awaits: {gone: {}}
    components:
      task:
        score:
          by: metadata.task
          cases:
            rule: {score: given, inputs: {value: {feature: right}}}
            judged: {score: judge_rubric, params: {judge: strict}}
            model: {score: gone}
          default: invalid
  usual: {components: {a: {score: judge_rubric}}}
"""
RIGHT, WRONG = {"right": 1.0}, {"right": 0.0}


def gateway_of(**parts: Any) -> Gateway:
    book = load_book(CONDITIONAL, {"model": KnownModel()})
    return Gateway(book, EffectsRuntime(CachedScorer(Models(), NullCache()), **parts))


async def score(reward: str, *features: dict[str, float], **columns: Any) -> Scored:
    size = len(features)
    batch = Batch([str(i) for i in range(size)], ["p"] * size, ["r"] * size, features=list(features), **columns)
    return await gateway_of().score(batch, reward)


@pytest.mark.parametrize("features", [[RIGHT], [WRONG], [WRONG, RIGHT], []])
@pytest.mark.parametrize(
    ("reward", "error", "said"),
    [
        ("judged", NotSetUp, "the recipe judged cannot answer: there is no judge 'strict'; REWARD_GATEWAY_JUDGES_FILE"),
        ("remote", NotSetUp, "the recipe remote cannot answer: there is no sandbox 'far'"),
        ("absent", ModelUnavailable, "the recipe absent cannot answer: there is no gone"),
        ("named", ModelUnavailable, "the recipe named cannot answer: there is no gone"),
    ],
)
async def test_a_recipe_that_lacks_something_scores_no_sample_whatever_its_conditions(
    reward: str, error: type[GatewayError], said: str, features: list[dict[str, float]]
) -> None:
    with pytest.raises(error, match=said):
        await score(reward, *features)


async def test_what_an_audit_lacks_fails_nothing() -> None:
    assert (await score("audited", RIGHT, WRONG)).reward.tolist() == [1.0, 0.0]


async def test_what_one_case_lacks_fails_the_samples_of_that_case() -> None:
    tasks = [b'{"task":"rule"}', b'{"task":"judged"}', b'{"task":"model"}']
    scored = await score("routed", RIGHT, RIGHT, RIGHT, further={"metadata": tasks})
    assert scored.reward[0] == 1.0
    assert {row: reason.code for row, reason in scored.invalid.items()} == {1: "judge_error", 2: "model_unavailable"}


async def test_the_usual_judge_that_is_not_there_is_the_error_of_each_sample() -> None:
    (reason,) = (await score("usual", RIGHT)).invalid.values()
    assert (reason.code, reason.component) == ("judge_error", "a")
    assert "no judges are configured" in reason.message
