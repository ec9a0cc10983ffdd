"""A recipe may await a model that is not served: it loads, says what it lacks, and harms no other."""

import pytest
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import RecipeBook, check_recipe_file, load_book
from reward_gateway.recipes.known_models import KnownModel, KnownModels

AWAITING = """
default: rule
rewards:
  rule: {components: {brevity: {score: length_penalty}}}
  model:
    awaits: {taste: {inputs: [prompt, images]}}
    components: {taste: {score: taste}}
"""
TASTE = {"taste": KnownModel(("prompt", "response"), ("score",))}


def load(text: str, models: KnownModels | None) -> RecipeBook:
    return load_book(text, models)


def test_without_its_model_it_loads_and_the_model_is_named_with_its_line() -> None:
    book = load(AWAITING, {})
    assert list(book.plans) == ["rule", "model"]
    assert book.missing == [
        {
            "path": "rewards.model.awaits.taste",
            "place": "line 6, column 14",
            "message": "no model or upstream 'taste' is served yet; until one is, the recipe gives no reward",
        }
    ]
    assert book.warnings == [], "a start warns of nothing that was meant"


@pytest.mark.parametrize("models", [TASTE, None])
def test_where_it_is_served_or_nothing_is_known_nothing_is_missing(models: KnownModels | None) -> None:
    assert load(AWAITING, models).missing == []


def test_until_it_is_served_it_reads_what_the_recipe_says_and_then_what_it_reads() -> None:
    assert load(AWAITING, {}).get("model").inputs == ("prompt", "images")
    assert load(AWAITING, None).get("model").inputs == ("prompt", "images")
    assert load(AWAITING, TASTE).get("model").inputs == ("prompt", "response")


def test_without_inputs_it_reads_prompt_and_response() -> None:
    text = AWAITING.replace("{inputs: [prompt, images]}", "")
    assert load(text, {}).get("model").inputs == ("prompt", "response")


def test_what_is_awaited_does_not_change_the_version() -> None:
    plain = AWAITING.replace("    awaits: {taste: {inputs: [prompt, images]}}\n", "")
    assert load(plain, TASTE).get("model").version == load(AWAITING, TASTE).get("model").version


def test_a_parameter_may_name_an_awaited_model() -> None:
    text = """
    rewards:
      steps:
        awaits: {prm: {}}
        components: {steps: {score: process_reward, params: {model: prm}, transforms: [aggregate]}}
    """
    assert [fault["path"] for fault in load(text, {}).missing] == ["rewards.steps.awaits.prm"]


def test_a_model_that_is_not_awaited_is_a_fault_as_ever() -> None:
    with pytest.raises(InvalidRecipe, match="'taste' is no scoring operation and no model"):
        load(AWAITING.replace("awaits: {taste:", "awaits: {tasty:"), {})


def test_an_awaited_model_that_nothing_asks_for_is_a_fault() -> None:
    text = AWAITING.replace("awaits: {taste:", "awaits: {tasty:")
    with pytest.raises(InvalidRecipe, match="nothing in this recipe asks for it; did you mean 'taste'"):
        load(text, TASTE)


def test_a_check_lists_it_as_a_warning() -> None:
    told = check_recipe_file({}, bytes.decode, AWAITING.encode())
    assert (told["valid"], [warning["path"] for warning in told["warnings"]]) == (True, ["rewards.model.awaits.taste"])
