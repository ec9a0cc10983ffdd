"""LeRobot: a reward model over frames, for scripts, and chosen by LeRobot's own configuration.

LeRobot needs a newer Python than these tests: what it calls is stood in for, and named as in its release 0.6.1.
"""

import importlib
import io
import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image
from reward_gateway.client import SampleScore
from reward_gateway.client.adapters import lerobot
from reward_gateway.client.adapters.service import Service as Asked
from reward_gateway.errors import NotFound

from tests.client.conftest import Service


class Film:
    """A service that looks at frames: its reward is the first frame's mean brightness."""

    def __init__(self) -> None:
        self.samples: list[Any] = []

    def score(self, samples: list[Any]) -> Any:
        self.samples = samples
        seen = [np.asarray(Image.open(io.BytesIO(sample["frames"][0]))).mean() for sample in samples]
        return [SampleScore(float(value), True, None, (), None) for value in seen]


def test_lerobots_windows_of_frames_go_out_in_order_with_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    film = Film()
    monkeypatch.setattr(Asked, "score", lambda self, samples: film.score(samples))
    model = lerobot.RewardGatewayRewardModel("film", "http://127.0.0.1:1")
    brightness = np.array([[0.2, 0.4, 0.6], [0.8, 1.0, 0.0]], dtype=np.float32)
    frames = np.broadcast_to(brightness[:, :, None, None, None], (2, 3, 3, 16, 24))
    rewards = model.compute_reward({"observation.images.front": frames, "task": ["lift", "drop"]})
    assert rewards.dtype == np.float32
    assert rewards == pytest.approx([51.0, 204.0], abs=1.5)
    assert [sample["prompt"] for sample in film.samples] == ["lift", "drop"]
    means = [np.asarray(Image.open(io.BytesIO(frame))).mean() for frame in film.samples[1]["frames"]]
    assert means == pytest.approx([204.0, 255.0, 0.0], abs=1.5)
    assert Image.open(io.BytesIO(film.samples[0]["frames"][0])).size == (24, 16)


def test_lerobots_single_frames_are_windows_of_one(service: Service) -> None:
    model = lerobot.RewardGatewayRewardModel("brief", service.url)
    assert model.compute_reward({"observation.image": np.zeros((2, 3, 16, 16), np.uint8)}).tolist() == [0.0, 0.0]
    with pytest.raises(KeyError, match="camera"):
        model.compute_reward({"observation.state": np.zeros((2, 7))})
    with pytest.raises(NotFound):
        lerobot.RewardGatewayRewardModel("film", service.url).compute_reward(
            {"observation.image": np.zeros((1, 3, 16, 16), np.uint8)}
        )


def test_lerobots_control_step_is_one_moment_beside_the_first_of_its_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    film = Film()
    monkeypatch.setattr(Asked, "score", lambda self, samples: film.score(samples))
    model = lerobot.RewardGatewayRewardModel("film", "http://127.0.0.1:1", task="lift")

    def step(brightness: float) -> list[float]:
        return list(model.predict_reward({"observation.image": np.full((1, 3, 8, 8), brightness)}, threshold=100.0))

    def shown() -> list[float]:
        pictures = [np.asarray(Image.open(io.BytesIO(frame))) for frame in film.samples[0]["frames"]]
        return [round(float(picture.mean()) / 255, 1) for picture in pictures]

    for brightness in (0.4, 0.6, 0.8):
        assert step(brightness) == [1.0]
        assert shown() == [0.4, brightness]
    model.reset()
    assert step(0.2) == [0.0]
    assert shown() == [0.2, 0.2]
    assert film.samples[0]["prompt"] == "lift"


@dataclass
class RewardModelConfig:
    """LeRobot's base of configurations, which knows them by their type."""

    device: str | None = None
    pretrained_path: str | None = None

    choices: ClassVar[dict[str, type[Any]]] = {}

    @classmethod
    def register_subclass(cls, name: str) -> Callable[[type[Any]], type[Any]]:
        def register(chosen: type[Any]) -> type[Any]:
            cls.choices[name] = chosen
            return chosen

        return register


class PreTrainedRewardModel:
    """LeRobot's base of reward models."""

    def __init__(self, config: Any) -> None:
        assert isinstance(config, RewardModelConfig)
        self.config = config


class Pipeline:
    """LeRobot's pipeline of processor steps."""

    def __init__(self, steps: Any = (), **named: Any) -> None:
        self.steps, self.named = list(steps), named


class OnDevice(np.ndarray[Any, Any]):
    """Rewards that can be moved, as tensors can."""

    def to(self, device: str) -> tuple[str, list[float]]:
        return device, self.tolist()


TO_TRANSITION, TO_TENSOR = object(), object()
STOOD_IN: dict[str, dict[str, Any]] = {
    "lerobot.configs.rewards": {"RewardModelConfig": RewardModelConfig},
    "lerobot.rewards.pretrained": {"PreTrainedRewardModel": PreTrainedRewardModel},
    "lerobot.processor": {
        "AddBatchDimensionProcessorStep": type("AddBatchDimensionProcessorStep", (), {}),
        "PolicyProcessorPipeline": Pipeline,
        "policy_action_to_transition": TO_TRANSITION,
        "transition_to_policy_action": TO_TENSOR,
    },
    "lerobot.utils.constants": {
        "POLICY_PREPROCESSOR_DEFAULT_NAME": "policy_preprocessor",
        "POLICY_POSTPROCESSOR_DEFAULT_NAME": "policy_postprocessor",
    },
}


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The package as LeRobot's ``discover_packages_path`` loads it: imported, and every module in it."""
    for name, contents in STOOD_IN.items():
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            module = ".".join(parts[:end])
            if module not in sys.modules:
                monkeypatch.setitem(sys.modules, module, ModuleType(module))
        for attribute, value in contents.items():
            setattr(sys.modules[name], attribute, value)
    for name in [name for name in sys.modules if name.startswith(lerobot.__name__)]:
        monkeypatch.delitem(sys.modules, name)
    package = importlib.import_module(lerobot.__name__)
    for _, name, _ in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(name)
    yield package
    for name in [name for name in sys.modules if name.startswith(lerobot.__name__)]:
        del sys.modules[name]
    RewardModelConfig.choices.clear()


def make_config(**settings: Any) -> Any:
    return RewardModelConfig.choices["reward_gateway"](**settings)


def make_model(config: Any) -> Any:
    """As LeRobot's factory finds the class of a registered configuration: by names alone."""
    module = type(config).__module__.replace("configuration_", "modeling_")
    name = type(config).__name__.removesuffix("Config") + "RewardModel"
    return getattr(importlib.import_module(module), name)(config=config)


def make_processors(config: Any) -> tuple[Pipeline, Pipeline]:
    """As LeRobot's factory finds the function that makes them."""
    module = importlib.import_module(type(config).__module__.replace("configuration_", "processor_"))
    before, after = module.make_reward_gateway_pre_post_processors(config, dataset_stats=None)
    return before, after


def test_lerobot_chooses_the_model_by_the_type_of_its_configuration(
    plugin: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, asked = Film(), list[Any]()

    def score(self: Asked, samples: list[Any]) -> Any:
        asked.append(self)
        return film.score(samples)

    monkeypatch.setattr(Asked, "score", score)
    monkeypatch.setattr(f"{lerobot.__name__}.reward_model._match_type", lambda frames, values: values.view(OnDevice))
    config = make_config(
        reward="film",
        url="http://127.0.0.1:1",
        run="lifting",
        timeout_s=3.0,
        image_key="observation.images.wrist",
        default_task="lift",
    )
    model = make_model(config)
    assert issubclass(type(model), PreTrainedRewardModel)
    assert model.name == "reward_gateway"
    frames = {
        "observation.images.front": np.zeros((2, 3, 8, 8), np.uint8),
        "observation.images.wrist": np.full((2, 3, 8, 8), 51, np.uint8),
    }
    assert model.compute_reward(frames) == ("cpu", [51.0, 51.0])
    assert [sample["prompt"] for sample in film.samples] == ["lift", "lift"]
    used = asked[0]
    assert (used.url, used.reward, used.run, used.timeout_s) == ("http://127.0.0.1:1", "film", "lifting", 3.0)
    assert model.predict_reward(frames, threshold=52.0) == ("cpu", [0.0, 0.0])


def test_lerobots_processors_leave_frames_as_they_are_and_give_rewards_as_a_tensor(plugin: ModuleType) -> None:
    before, after = make_processors(make_config())
    assert [type(step).__name__ for step in before.steps] == ["AddBatchDimensionProcessorStep"]
    assert after.steps == []
    assert (after.named["to_transition"], after.named["to_output"]) == (TO_TRANSITION, TO_TENSOR)


def test_a_configuration_that_lerobot_saves_holds_no_key(plugin: ModuleType) -> None:
    assert "api_key" not in {field.name for field in fields(make_config())}


def test_without_lerobot_there_is_the_class_for_scripts_alone() -> None:
    assert lerobot.__all__ == ["RewardGatewayRewardModel"]
