"""LeRobot: a reward model that it makes by configuration, asked about a batch as its own processors leave it."""

import sys
from dataclasses import dataclass, field

import reward_gateway.client.adapters.lerobot  # noqa: F401  (registers itself)
import torch
from lerobot.configs import parser
from lerobot.configs.rewards import RewardModelConfig
from lerobot.rewards import make_reward_model, make_reward_model_config, make_reward_pre_post_processors
from run import Call

PACKAGE = "lerobot"


def score(call: Call) -> list[float | None]:
    config = make_reward_model_config("reward_gateway", reward=call.recipe, url=call.url)
    preprocess, postprocess = make_reward_pre_post_processors(config)
    frames = torch.tensor(call.column("pixels"), dtype=torch.uint8).permute(0, 1, 4, 2, 3)
    batch = preprocess({"observation.images.top": frames, "task": call.column("prompt")})
    return list(postprocess(make_reward_model(config).compute_reward(batch)).tolist())


@dataclass
class Settings:
    """The part of LeRobot's configurations that names a reward model."""

    reward_model: RewardModelConfig | None = field(default=None)


def parse(lines: list[str]) -> str:
    words = [word.replace("=RECIPE", "=helpful") for word in lines[0].split()]
    sys.argv = ["lerobot", *words]

    @parser.wrap()
    def read(settings: Settings) -> RewardModelConfig | None:
        return settings.reward_model

    found = read()
    assert found is not None
    assert (found.type, found.reward) == ("reward_gateway", "helpful")
    return type(found).__name__
