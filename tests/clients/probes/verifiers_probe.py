"""verifiers: a function plugged into a task by configuration, called with task and trace."""

import asyncio
import tomllib
from types import SimpleNamespace

from run import Call
from verifiers.v1.configs.task import TaskConfig
from verifiers.v1.utils.loaders import load_plugged_fn

PACKAGE = "verifiers"


def score(call: Call) -> list[float | None]:
    return asyncio.run(_score(call))


async def _score(call: Call) -> list[float | None]:
    config = TaskConfig(rewards={"rm": {"fn": "reward_gateway.client.adapters.verifiers:reward", "weight": 1.0}})
    function = load_plugged_fn("rm", config.rewards["rm"], "reward", decorated=None)
    calls = (
        function(
            task=SimpleNamespace(prompt=sample["prompt"], answer=sample.get("reference")),
            trace=SimpleNamespace(last_reply=sample["response"]),
        )
        for sample in call.samples
    )
    return list(await asyncio.gather(*calls))


def parse(lines: list[str]) -> str:
    parsed = TaskConfig(rewards=tomllib.loads("\n".join(lines)))
    assert parsed.rewards["rm"].fn == "reward_gateway.client.adapters.verifiers:reward"
    return type(parsed).__name__
