"""The published JSON Schema says yes to every recipe that ships, and no to a typo."""

from typing import Any

import jsonschema
import pytest
import yaml
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
