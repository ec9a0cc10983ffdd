"""Further names of recipes and served models; names that mean two things."""

from typing import Any

import pytest
from reward_gateway.errors import InvalidRecipe, NotFound
from reward_gateway.recipes.book import check_recipe_file, load_book
from reward_gateway.recipes.implicit_recipes import find_implicit_recipe, list_implicit_recipes
from reward_gateway.recipes.known_models import KnownModel

RECIPES = """
rewards:
  brief: {components: {a: {score: length_penalty, params: {free_words: 1, per_word: 0.5}}}}
  helpful: {components: {a: {score: preference}}}
"""
MODELS = {
    "preference": KnownModel(("prompt", "response"), ("preference",)),
    "preference@2": KnownModel(("prompt", "response"), ("preference",)),
    "org/traits": KnownModel(("response", "images"), ("kind", "true", "4 stars")),
    "regex_match": KnownModel(("response",), ()),
}


def load(aliases: str, models: Any = MODELS) -> Any:
    return load_book(f"{RECIPES}\nmodel_aliases: {aliases}", models)


def faults_of(aliases: str, models: Any = MODELS) -> list[dict[str, str]]:
    with pytest.raises(InvalidRecipe) as refused:
        load(aliases, models)
    faults: list[dict[str, str]] = refused.value.faults
    return faults


def test_an_alias_is_a_further_name_of_a_recipe() -> None:
    book = load('{gpt-4o: helpful, "org/A model": brief, "*": brief}')
    assert book.get("gpt-4o") is book.get("helpful")
    assert "org/A model" in book
    assert [plan.name for plan in book] == ["brief", "helpful"]
    assert [row["name"] for row in book.summary()["rewards"]] == ["brief", "helpful"]


def test_the_star_is_no_name() -> None:
    book = load('{"*": brief}')
    assert "*" not in book
    with pytest.raises(NotFound):
        book.get("*")


@pytest.mark.parametrize("target", ["preference", "preference@2", "org/traits", "org/traits:4 stars"])
def test_an_alias_may_stand_for_a_served_model(target: str) -> None:
    assert load(f'{{a: "{target}"}}').resolve_alias("a") == target


@pytest.mark.parametrize(
    ("aliases", "message"),
    [
        ("{brief: helpful}", "name of a recipe"),
        ("{brief: brief}", "name of a recipe"),
        ("{a: helpfull}", "did you mean"),
        ("{a: b, b: brief}", "no reward and no served model 'b'"),
        ('{a: "org/traits:5 stars"}', "no reward and no served model"),
        ('{"*": "*"}', "no reward and no served model"),
    ],
)
def test_a_fault_of_an_alias_has_its_place(aliases: str, message: str) -> None:
    (fault,) = faults_of(aliases)
    assert message in fault["message"]
    assert fault["path"].startswith("model_aliases")
    assert "line" in fault["place"]


@pytest.mark.parametrize("aliases", ['{"": brief}', f'{{"{"x" * 257}": brief}}', "{a: 1}", "[a]", "{a: [brief]}"])
def test_aliases_are_names_of_names(aliases: str) -> None:
    assert faults_of(aliases)


def test_targets_are_not_checked_while_the_models_are_not_known() -> None:
    assert load("{a: later}", None).resolve_alias("a") == "later"
    assert faults_of("{brief: later}", None)


def test_a_models_name_equal_to_a_recipes_is_a_warning() -> None:
    text = RECIPES.replace("brief", "preference", 1)
    book = load_book(text, MODELS)
    (warning,) = book.warnings
    assert (warning["path"], "line 3" in warning["place"]) == ("rewards.preference", True)
    checked = check_recipe_file(MODELS, lambda body: body.decode(), text.encode())
    assert (checked["valid"], checked["warnings"]) == (True, [warning])
    assert load_book(RECIPES, MODELS).warnings == []


@pytest.mark.parametrize(
    ("recipe", "warns"),
    [
        ("{components: {a: {score: traits, dimension: kind}}}", False),
        ("{components: {a: {score: traits, dimension: kind, transforms: [sigmoid]}}}", True),
        ("{components: {a: {score: traits, dimension: kind}}, group: {normalize: mean}}", True),
        ("{components: {a: {score: traits, dimension: kind}}, guards: [empty_response]}", True),
        ("{components: {a: {score: preference}}}", True),
    ],
)
def test_a_recipe_that_says_which_number_of_the_model_is_meant_is_none(recipe: str, warns: bool) -> None:
    models = {**MODELS, "traits": MODELS["org/traits"]}
    assert bool(load_book(f"rewards: {{traits: {recipe}}}", models).warnings) is warns


def test_a_served_models_name_is_a_recipe_of_its_raw_score() -> None:
    plan = find_implicit_recipe("preference@2", MODELS)
    assert plan is not None
    assert (plan.name, plan.models, plan.inputs) == ("preference@2", ("preference@2",), ("prompt", "response"))
    assert (plan.components[0].transforms, plan.labels) == ((), ())


def test_an_operation_of_the_models_name_is_not_meant() -> None:
    plan = find_implicit_recipe("regex_match", MODELS)
    assert plan is not None
    assert plan.models == ("regex_match",)


def test_a_model_of_several_numbers_has_them_as_its_components() -> None:
    plan = find_implicit_recipe("org/traits", MODELS)
    assert plan is not None
    assert plan.labels == ("kind", "true", "4 stars") == tuple(component.name for component in plan.components)
    assert plan.labels == tuple(component.dimension for component in plan.components)
    one = find_implicit_recipe("org/traits:4 stars", MODELS)
    assert one is not None
    assert (one.labels, one.components[0].dimension, one.inputs) == ((), "4 stars", ("response", "images"))
    assert one.version != plan.version


@pytest.mark.parametrize("name", ["", ":", "nobody", "preference:", ":preference", "preference:kind", "org/traits:5"])
def test_other_names_are_no_models(name: str) -> None:
    assert find_implicit_recipe(name, MODELS) is None


def test_every_implicit_name_is_listed() -> None:
    names = list(list_implicit_recipes(MODELS))
    assert "org/traits:4 stars" in names
    assert all(find_implicit_recipe(name, MODELS) is not None for name in names)
