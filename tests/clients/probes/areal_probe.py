"""AReaL: a function in its pool of processes, under its time limit."""

import asyncio
import re
from pathlib import Path

from areal.api.reward_api import AsyncRewardWrapper
from reward_gateway.client.adapters.areal import Reward
from run import Call, find_file

PACKAGE = "areal"


def score(call: Call) -> list[float | None]:
    return asyncio.run(_score(call))


async def _score(call: Call) -> list[float | None]:
    wrapped = AsyncRewardWrapper(Reward(call.recipe, call.url))
    calls = (
        wrapped(sample["prompt"], sample["response"], [1], [2], answer=sample.get("reference"))
        for sample in call.samples
    )
    return list(await asyncio.gather(*calls))


def read_guide(guide: str) -> str:
    from areal.api.cli_args import GRPOConfig, parse_cli_args, to_structured_cfg
    from areal.utils.dynamic_import import import_from_string
    from omegaconf import OmegaConf

    Path("grpo.yaml").write_text(find_file(guide, "grpo.yaml"))
    parsed, _ = parse_cli_args(["--config", "grpo.yaml"])
    config = OmegaConf.to_object(to_structured_cfg(parsed, config_cls=GRPOConfig))
    (function,) = re.findall(r'"reward_fn": "([^"]+)"', find_file(guide, "train.py"))
    assert isinstance(import_from_string(function), Reward)
    assert config.gconfig.n_samples == config.actor.reward_norm.group_size
    return type(config).__name__
