"""OpenEnv's rubric: the reward of an action, or an exception."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from reward_gateway.client.adapters.openenv import RewardRubric
from reward_gateway.client.adapters.service import Unscored
from reward_gateway.errors import GatewayError

from tests.client.conftest import Service


@dataclass
class Action:
    """An action as an environment defines it."""

    answer: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class Observation:
    """An observation as an environment defines it."""

    prompt: str = "2 + 2?"
    metadata: dict[str, Any] = field(default_factory=dict)


def test_an_action_is_scored_against_the_observation(service: Service) -> None:
    rubric = RewardRubric("right", service.url)
    seen = Observation(metadata={"reference": "4"})
    assert [rubric.forward(Action(said), seen) for said in ("4", "5")] == [1.0, 0.0]
    assert rubric.forward("4", {"prompt": "2 + 2?", "ground_truth": "4"}) == 1.0


def test_fields_may_have_other_names(service: Service) -> None:
    rubric = RewardRubric("right", service.url, response="move", reference="best")
    assert rubric.forward({"move": "4"}, {"best": "4", "reference": "5"}) == 1.0


def test_no_reward_is_made_up(service: Service, nobody: str) -> None:
    with pytest.raises(Unscored, match="name its text's"):
        RewardRubric("right", service.url).forward(Action(), Observation())
    with pytest.raises(Unscored):
        RewardRubric("right", service.url).forward(Action("4"), Observation())
    with pytest.raises(GatewayError):
        RewardRubric("right", nobody).forward(Action("4"), Observation(metadata={"reference": "4"}))
