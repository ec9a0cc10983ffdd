"""verifiers: a function plugged into a task by configuration, called with task and trace."""

import asyncio
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

from run import Call, find_file
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


def read_guide(guide: str) -> str:
    """The guide's task set yields tasks that our function is plugged into, as ``vf-eval`` reads its configuration."""
    from verifiers.v1.configs.cli.eval import EvalConfig
    from verifiers.v1.utils.loaders import load_taskset

    Path("sums.py").write_text(find_file(guide, "sums.py"))
    sys.path.insert(0, ".")
    config = EvalConfig.model_validate(tomllib.loads(find_file(guide, "eval.toml")))
    task = next(iter(load_taskset(config.env.taskset)))
    assert [reward.__name__ for reward in task.hooks("reward")] == ["rm"]
    assert task.data.answer.isdecimal()
    training = tomllib.loads(find_file(guide, "rl.toml"))["orchestrator"]["train"]["source"][0]["env"]
    assert training["taskset"]["task"] == config.env.taskset.model_dump(exclude_unset=True)["task"]
    return type(config).__name__
