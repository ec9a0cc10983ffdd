"""The published JSON Schema says yes to every recipe that ships, and no to a typo."""

from typing import Any

import jsonschema
import pytest
import yaml
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.schema import json_schema
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
