"""verl: our reward manager, loaded by ``source=importlib``."""

import asyncio

from run import Call, find_command
from verl_probe import score_rows
from verl_rows import compose_config

PACKAGE = "verl"
LINES = [
    "reward.reward_manager.source=importlib",
    "reward.reward_manager.name=RewardGatewayManager",
    "reward.reward_manager.module.path=pkg://reward_gateway.client.adapters.verl_manager",
]


def score(call: Call) -> list[float | None]:
    settings = [f"+reward.custom_reward_function.reward_kwargs.{key}" for key in ("url", "reward")]
    pairs = zip(settings, (call.url, call.recipe), strict=True)
    return asyncio.run(score_rows(call, [*LINES, *(f"{key}={value}" for key, value in pairs)]))


def parse(lines: list[str]) -> str:
    from reward_gateway.client.adapters.verl_manager import RewardGatewayManager
    from verl.trainer.ppo.reward import resolve_reward_manager_cls

    assert resolve_reward_manager_cls(compose_config(lines)) is RewardGatewayManager
    return "ppo_trainer"


def read_guide(guide: str) -> str:
    from reward_gateway.client.adapters.verl_manager import RewardGatewayManager
    from verl.trainer.ppo.reward import resolve_reward_manager_cls

    config = compose_config(find_command(guide, "python -m verl.trainer.main_ppo"))
    assert resolve_reward_manager_cls(config) is RewardGatewayManager
    return "ppo_trainer"
