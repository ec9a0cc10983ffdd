"""SkyRL: the environment made by skyrl-gym under its name, one turn."""

import sys
import typing

import skyrl_gym
import typing_extensions
from reward_gateway.client.adapters import skyrl
from run import Call

PACKAGE = "skyrl-gym"

skyrl.register()


def score(call: Call) -> list[float | None]:
    return [_score_one(call, sample) for sample in call.samples]


def _score_one(call: Call, sample: dict[str, str]) -> float:
    extras = {"reward_spec": {"ground_truth": sample.get("reference")}}
    environment = skyrl_gym.make("reward_gateway", env_config={"url": call.url, "reward": call.recipe}, extras=extras)
    environment.init([{"role": "user", "content": sample["prompt"]}])
    step = environment.step(sample["response"])
    assert step["done"]
    return float(step["reward"])


def parse(lines: list[str]) -> str:
    if sys.version_info < (3, 12):  # pydantic asks for it, SkyRL is made for 3.12
        typing.TypedDict = typing_extensions.TypedDict
    from skyrl.train.config import SkyRLTrainConfig

    settings = [word for word in lines[0].split() if "=" in word]
    config = SkyRLTrainConfig.from_cli_overrides(settings)
    assert config.environment.env_class == "reward_gateway"
    return type(config).__name__
