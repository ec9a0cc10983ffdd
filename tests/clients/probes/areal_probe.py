"""AReaL: a function in its pool of processes, under its time limit."""

import asyncio

from areal.api.reward_api import AsyncRewardWrapper
from reward_gateway.client.adapters.areal import Reward
from run import Call

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
