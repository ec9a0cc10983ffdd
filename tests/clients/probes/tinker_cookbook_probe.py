"""tinker-cookbook: its message environment, stepped with an answer."""

import asyncio

from reward_gateway.client.adapters.tinker_cookbook import RewardGatewayEnv
from run import Call
from tinker_cookbook.rl.message_env import MessageStepResult

PACKAGE = "tinker-cookbook"


def score(call: Call) -> list[float | None]:
    return asyncio.run(_score(call))


async def _score(call: Call) -> list[float | None]:
    return list(await asyncio.gather(*(_score_one(call, sample) for sample in call.samples)))


async def _score_one(call: Call, sample: dict[str, str]) -> float:
    messages = [{"role": "user", "content": sample["prompt"]}]
    environment = RewardGatewayEnv(messages, sample.get("reference"), recipe=call.recipe, url=call.url)
    assert await environment.initial_observation() == messages
    result = await environment.step({"role": "assistant", "content": sample["response"]})
    assert isinstance(result, MessageStepResult)
    assert result.episode_done
    return result.reward
