"""The models as Triton would start them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from reward_models.repository import card as cards
from reward_models.repository import config
from reward_models.runtime.instance import Instance, split_names
from reward_models.runtime.preference import PreferenceScorer
from reward_models.runtime.rows import Answer
from reward_models.runtime.session import Device

TEXT_MODELS = ("text_harmless", "text_preference")

Ask = Callable[..., Answer]
Built = Callable[[str], Path]


def instance(folder: Path) -> Instance:
    """A built model on the CPU, with the parameters that its configuration holds."""
    said = config.card_parameters(cards.read_card(folder))
    card = cards.read_card(folder).content
    return Instance(folder / "1", split_names(said["dimensions"]), split_names(said["flags"]), card, Device())


@pytest.fixture(scope="session")
def start(built_models: Built) -> Callable[[str], Instance]:
    """A model by its name, built and ready to be loaded."""
    return lambda name: instance(built_models(name))


@cache
def scorer(folder: Path) -> PreferenceScorer:
    return PreferenceScorer(instance(folder))


@pytest.fixture(params=TEXT_MODELS)
def model(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def ask(built_models: Built) -> Ask:
    """Score texts with a model: ``ask(name, prompts, responses, messages=None)``."""

    def score(name: str, prompts: list[str], responses: list[str], messages: list[str] | None = None) -> Answer:
        columns = {"prompt": prompts, "response": responses} | ({"messages": messages} if messages else {})
        encoded = {key: [value.encode() for value in values] for key, values in columns.items()}
        return scorer(built_models(name)).score(encoded, len(prompts))

    return score


@pytest.fixture
def forgetful(model: str, built_models: Built) -> PreferenceScorer:
    """A scorer that remembers no text, so that every score is computed."""
    return bare(built_models(model))


@cache
def bare(folder: Path) -> PreferenceScorer:
    return PreferenceScorer(instance(folder), remembered=0)
