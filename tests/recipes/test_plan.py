"""recipes/plan.py: what a compiled recipe says of itself."""

import pytest
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel

COMPONENTS = "a: {score: length_penalty}, b: {score: length_penalty}, c: {score: length_penalty}"


@pytest.mark.parametrize(
    ("combine", "members"),
    [
        ("{ensemble: {over: [a, b], how: mean_minus_std}, then: {add: [c]}}", ("a", "b")),
        ("{weighted_sum: {over: [a, b]}, then: {add: [c]}}", ()),
    ],
)
def test_the_members_of_an_ensemble_are_those_that_it_is_combined_over(combine: str, members: tuple[str, ...]) -> None:
    book = load_book(f"rewards: {{r: {{components: {{{COMPONENTS}}}, combine: {combine}}}}}", {})
    assert book.get("r").ensemble == members


def test_a_recipe_of_one_component_has_no_ensemble() -> None:
    assert load_book("rewards: {r: {components: {a: {score: length_penalty}}}}", {}).get("r").ensemble == ()


def test_a_plan_describes_everything_that_shapes_its_reward() -> None:
    recipe = """
rewards:
  r:
    components:
      a: {score: length_penalty, transforms: [{clip: {low: -1.0, high: 1.0}}]}
      b: {score: length_penalty}
      c: {score: length_penalty}
    guards: [{empty_response: {action: zero}}]
    combine: {weighted_sum: {over: [a, b]}, then: {add: [c]}}
    group: {normalize: mean}
    on_invalid: fail
"""
    plan = load_book(recipe, {}).get("r").describe()["plan"]
    assert plan.keys() == {
        "components", "guards", "combine", "over", "add", "group", "credit", "on_invalid", "on_reset", "stages",
    }  # fmt: skip
    assert plan["components"].keys() == {"a", "b", "c"}
    assert plan["components"]["a"].keys() == {
        "model", "dimension", "score", "transforms", "returns", "optional", "otherwise", "timeout_s",
        "on_timeout", "audit", "by", "cases",
    }  # fmt: skip
    assert plan["components"]["a"]["score"]["operation"] == "score/length_penalty"
    assert (plan["components"]["a"]["model"], plan["components"]["a"]["returns"]) == (None, "scalar")
    assert [len(plan["components"][name]["transforms"]) for name in "abc"] == [1, 0, 0]
    assert plan["guards"] == [{"name": "empty_response", "action": "zero", "reads_texts": True}]
    assert (plan["over"], plan["add"], plan["on_invalid"]) == (["a", "b"], ["c"], "fail")
    assert plan["group"]["normalize"] == "mean"
    assert plan["combine"] is not None
    assert plan["credit"] is None


def test_an_experiment_describes_what_it_compares() -> None:
    recipe = """
rewards: {r: {components: {a: {score: m}}}}
experiments: {next: {model: m, candidate: m@2, fraction: 0.25, reward: r}}
"""
    known = dict.fromkeys(("m", "m@2"), KnownModel(("prompt",)))
    (experiment,) = load_book(recipe, known).experiments.values()
    said = {"name": "next", "model": "m", "candidate": "m@2", "fraction": 0.25, "reward": "r"}
    assert experiment.describe() == said
