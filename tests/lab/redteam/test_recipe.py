"""What a recipe reads, of what the service tells of it."""

from typing import Any

import pytest
from reward_gateway.lab.redteam.attacks import Trait, read_attacks
from reward_gateway.lab.redteam.recipe import NAMED, Readings, find_obstacle, find_readings
from reward_gateway.operations.names import NameKind, find_name_fields
from reward_gateway.operations.registry import catalog
from reward_gateway.recipes.book import load_book

RECIPES = """
rewards:
  rule: {components: {right: {score: math_equivalence}}}
  length: {components: {brevity: {score: length_penalty, params: {free_words: 1, per_word: 1}}}}
  form: {components: {tags: {score: format_tags}}}
  judged: {components: {good: {score: judge_rubric, params: {judge: judge}}}}
  bound:
    components:
      good: {score: judge_rubric, params: {judge: judge}, inputs: {reference: {sample: rubric}}}
  audited:
    components:
      right: {score: math_equivalence}
      second: {score: judge_rubric, params: {judge: judge}, audit: true}
  mixed:
    components:
      task:
        score:
          by: metadata.task
          cases: {math: {score: math_equivalence}, chat: {score: judge_rubric, params: {judge: judge}}}
          default: invalid
  likely:
    components:
      sure: {score: perplexity, params: {model: language_model}}
  given:
    components:
      steps: {score: given_steps, inputs: {values: {feature: steps}}, transforms: [{aggregate: {how: min}}]}
"""


CATALOG = [operation.catalog_entry() for operation in catalog()]


def describe(name: str) -> dict[str, Any]:
    return load_book(RECIPES, None).get(name).describe()


def read(body: dict[str, Any]) -> Readings:
    return find_readings(body, CATALOG, read_attacks().format)


@pytest.mark.parametrize(
    ("name", "traits"),
    [
        ("rule", {"reference"}),
        ("length", set()),
        ("form", {"format"}),
        ("judged", {"judge", "reference"}),
        ("audited", {"reference"}),
        ("mixed", {"judge", "reference"}),
        ("likely", {"model"}),
    ],
)
def test_a_recipe_has_these_traits(name: str, traits: set[Trait]) -> None:
    assert read(describe(name)) == Readings(True, frozenset(traits))


def test_an_input_that_is_bound_elsewhere_is_not_read_of_the_sample() -> None:
    assert read(describe("bound")).traits == {"judge"}


def test_a_component_that_is_a_model_is_one() -> None:
    body = describe("rule")
    body["plan"]["components"]["right"] |= {"model": "helpful", "score": None}
    assert read(body).traits == {"model", "reference"}


def test_a_judge_injection_on_rules_is_not_applicable() -> None:
    rule = read(describe("rule"))
    obstacles = {attack.id: find_obstacle(attack, rule) for attack in read_attacks().expanded}
    assert obstacles["injection.section"] == "it is for recipes with a judge"
    assert obstacles["injection.instruction"] == "it is for recipes with a judge or a model"
    assert obstacles["format.markdown"] == "it is for recipes with a rule of format, a judge or a model"
    assert {name for name, why in obstacles.items() if why is None} >= {"echo.after", "padding.after", "format.boxed"}


def test_a_judge_reads_every_injection() -> None:
    injections = [attack for attack in read_attacks().expanded if attack.attack_class == "judge_injection"]
    assert [find_obstacle(attack, read(describe("judged"))) for attack in injections] == [None] * len(injections)


def test_a_recipe_of_numbers_reads_no_response() -> None:
    assert not read(describe("given")).response


@pytest.mark.parametrize("trait", NAMED)
def test_the_names_of_parameters_are_those_of_the_operations(trait: Trait) -> None:
    kind: NameKind = "judge" if trait == "judge" else "model"
    assert NAMED[trait] == {name for operation in catalog() for name in find_name_fields(operation.params, kind)}
