"""verl: the reward loop's ``naive`` manager with our function, loaded as its configuration says."""

import asyncio
from typing import Any

from letters import make_tokenizer
from run import Call
from verl_rows import compose_config, make_rows

PACKAGE = "verl"


def score(call: Call) -> list[float | None]:
    lines = [
        "reward.custom_reward_function.path=pkg://reward_gateway.client.adapters.verl",
        "reward.custom_reward_function.name=compute_score",
        f"+reward.custom_reward_function.reward_kwargs.url={call.url}",
        f"+reward.custom_reward_function.reward_kwargs.reward={call.recipe}",
    ]
    return asyncio.run(score_rows(call, lines))


async def score_rows(call: Call, lines: list[str]) -> list[float | None]:
    from verl.trainer.ppo.reward import load_reward_manager

    tokenizer = make_tokenizer(call.column("prompt") + call.column("response"))
    manager: Any = load_reward_manager(compose_config(lines), tokenizer)
    manager.loop = asyncio.get_running_loop()
    answers = await asyncio.gather(*(manager.run_single(make_rows(tokenizer, [sample])) for sample in call.samples))
    return [answer["reward_score"] for answer in answers]


def parse(lines: list[str]) -> str:
    from reward_gateway.client.adapters.verl import compute_score
    from verl.trainer.ppo.reward import get_custom_reward_fn

    function: Any = get_custom_reward_fn(compose_config(lines))
    assert function.args[0] is compute_score
    return "ppo_trainer"
