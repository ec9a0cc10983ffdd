"""Agent-lightning: a rollout function that answers with our reward, run as the agent that its decorator makes."""

import asyncio
from typing import Any

from reward_gateway.client.adapters.agent_lightning import reward
from run import Call, import_alone

rollout = import_alone("agentlightning.litagent.decorator").rollout

PACKAGE = "agentlightning"


@rollout
async def agent(task: dict[str, Any], llm: Any) -> float:
    return await reward(task, task["response"])


def score(call: Call) -> list[float | None]:
    return asyncio.run(_score(call))


async def _score(call: Call) -> list[float | None]:
    tasks = [{**sample, "question": sample["prompt"]} for sample in call.samples]
    return list(await asyncio.gather(*(agent(task, None) for task in tasks)))
