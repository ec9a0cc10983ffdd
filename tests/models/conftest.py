"""The text models as Triton would start them, built once if they are not."""

from collections.abc import Callable
from functools import cache

import pytest
from reward_models.build import build, is_built
from reward_models.repository import REPOSITORY, config
from reward_models.repository import card as cards
from reward_models.runtime.instance import Instance, split
from reward_models.runtime.preference import PreferenceScorer
from reward_models.runtime.rows import Answer
from reward_models.runtime.session import Device

TEXT_MODELS = ("text_harmless", "text_preference")

Ask = Callable[..., Answer]


def instance(name: str) -> Instance:
    """A built model on the CPU, with the parameters that its configuration holds."""
    if not is_built(name):
        build(name, progress=lambda step: None)
    folder = REPOSITORY / name
    said = config.parameters(cards.read(folder))
    card = cards.read(folder).content
    return Instance(folder / "1", split(said["dimensions"]), split(said["flags"]), card, Device())


@pytest.fixture(scope="session")
def start() -> Callable[[str], Instance]:
    """A model by its name, built and ready to be loaded."""
    return instance


@cache
def scorer(name: str) -> PreferenceScorer:
    return PreferenceScorer(instance(name))


@pytest.fixture(params=TEXT_MODELS)
def model(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def ask() -> Ask:
    """Score texts with a model: ``ask(name, prompts, responses, messages=None)``."""

    def score(name: str, prompts: list[str], responses: list[str], messages: list[str] | None = None) -> Answer:
        columns = {"prompt": prompts, "response": responses} | ({"messages": messages} if messages else {})
        encoded = {key: [value.encode() for value in values] for key, values in columns.items()}
        return scorer(name).score(encoded, len(prompts))

    return score


@pytest.fixture
def forgetful(model: str) -> PreferenceScorer:
    """A scorer that remembers no text, so that every score is computed."""
    return bare(model)


@cache
def bare(name: str) -> PreferenceScorer:
    return PreferenceScorer(instance(name), remembered=0)
