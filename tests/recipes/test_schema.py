"""The published JSON Schema says yes to every recipe that ships, and no to a typo."""

from typing import Any

import jsonschema
import pytest
import yaml
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.schema import CohortSpec, ComponentSpec, RecipeSpec, json_schema
from reward_gateway.settings import Settings


@pytest.fixture
def shipped() -> Any:
    return yaml.safe_load(Settings().rewards_file.read_text())


def test_what_ships_loads_and_fits_the_schema(shipped: Any) -> None:
    jsonschema.validate(shipped, json_schema())
    book = load_book(Settings().rewards_file.read_text())
    assert book.default in book
    assert all(plan.description for plan in book), "every recipe says what it is for"


def test_a_typo_does_not_fit(shipped: Any) -> None:
    shipped["rewards"]["brevity"]["componets"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(shipped, json_schema())


EXPERIMENT = "rewards: {r: {components: {a: {score: m}}}}\nexperiments: {e: {model: m, candidate: n, fraction: %s}}"


@pytest.mark.parametrize("fraction", [0.001, 0.5, 1])
def test_an_experiment_has_a_share_of_the_prompts(fraction: float) -> None:
    assert load_book(EXPERIMENT % fraction).experiments["e"].fraction == fraction


@pytest.mark.parametrize("fraction", [-0.1, 0, 1.001])
def test_an_experiment_of_no_prompt_or_of_more_than_all_is_refused(fraction: float) -> None:
    with pytest.raises(InvalidRecipe, match=r"experiments\.e\.fraction"):
        load_book(EXPERIMENT % fraction)


def test_what_a_component_does_not_say_has_its_default() -> None:
    spec = ComponentSpec(score="m")
    assert (spec.dimension, spec.params, spec.inputs, spec.transforms) == (None, {}, {}, [])
    assert (spec.optional, spec.truncation) == (False, "flag")


def test_what_a_recipe_does_not_say_has_its_default() -> None:
    spec = RecipeSpec.model_validate({"components": {"a": {"score": "m"}}})
    assert (spec.description, spec.guards, spec.combine, spec.credit) == ("", [], None, None)
    assert (spec.on_invalid, spec.default_reward, spec.range) == ("null", None, None)
    assert (spec.chat_format, spec.plain_text, spec.template_marks) == ("auto", None, "flag")
    group = spec.group
    assert (group.normalize, group.weights, group.eps, group.cohort) == ("none", {}, 1e-6, None)


def test_the_option_that_chat_format_replaced_is_refused_with_its_replacement() -> None:
    recipe = "rewards: {r: {components: {a: {score: exact_match}}, strip_template: chatml}}"
    with pytest.raises(InvalidRecipe, match=r"rewards\.r.*chat_format"):
        load_book(recipe)


def test_a_cohort_waits_thirty_seconds_and_is_scored_as_it_is_then() -> None:
    cohort = CohortSpec(size=2)
    assert (cohort.timeout_s, cohort.incomplete) == (30.0, "score")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ("size: 1", "size"),
        ("size: 4097", "size"),
        ("size: 2, timeout_s: 0", "timeout_s"),
        ("size: 2, incomplete: wait", "incomplete"),
        ("timeout_s: 3", "size"),
    ],
)
def test_a_cohort_out_of_its_bounds_is_refused(wrong: str, field: str) -> None:
    recipe = "rewards: {r: {components: {a: {score: m}}, group: {normalize: mean, cohort: {%s}}}}"
    with pytest.raises(InvalidRecipe, match=rf"group\.cohort\.{field}"):
        load_book(recipe % wrong)
    assert load_book(recipe % "size: 4096").get("r").group.cohort == CohortSpec(size=4096)


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "a" * 64])
def test_a_name_begins_with_a_letter(name: str) -> None:
    assert name in load_book(f"rewards: {{{name}: {{components: {{a: {{score: m}}}}}}}}")


@pytest.mark.parametrize("name", ["9a", "_a", "a" * 65, "a/b", "ä"])
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidRecipe, match="match pattern"):
        load_book(f"rewards: {{'{name}': {{components: {{a: {{score: m}}}}}}}}")
