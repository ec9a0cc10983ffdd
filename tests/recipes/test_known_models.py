"""The models that recipes may name: what the server says of each, and what the disk says where the server does not."""

from typing import Any

import pytest
from reward_gateway.backends.port import ModelInfo
from reward_gateway.recipes.known_models import KnownModel, known_models


def info(name: str, *inputs: str, **more: Any) -> ModelInfo:
    return ModelInfo(name, "1", True, inputs, ("score",) if inputs else (), 64, **more)


def test_what_the_server_says_of_a_model_goes_before_what_lies_on_the_disk() -> None:
    known = known_models([info("m", "prompt")], [info("m", "response")])
    assert known == {"m": KnownModel(("prompt",), ("score",))}


def test_a_model_that_the_server_has_not_loaded_is_known_from_the_disk() -> None:
    assert known_models([info("m")], [info("m", "response")]) == {"m": KnownModel(("response",), ("score",))}


def test_a_model_that_is_nowhere_described_may_be_named_all_the_same() -> None:
    assert known_models([info("m")], [info("other", "response")]) == {"m": KnownModel()}


@pytest.mark.parametrize(
    ("said", "known"), [([0, 1], (0.0, 1.0)), ([1, 0], None), (["a", "b"], None), ("01", None), (None, None)]
)
def test_a_card_may_say_between_what_scores_lie(said: Any, known: tuple[float, float] | None) -> None:
    assert known_models([info("m", "prompt", card={"range": said})])["m"].range == known


def test_each_version_has_a_name_without_its_content() -> None:
    known = known_models([info("m", "prompt", versions=("1-abc", "2"), expected=("3-def",))])
    assert list(known) == ["m", "m@1", "m@2", "m@3"]
    assert set(known.values()) == {KnownModel(("prompt",), ("score",))}
