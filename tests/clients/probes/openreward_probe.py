"""OpenReward: a session per sample, whose tool ``answer`` is called once."""

import asyncio
from typing import Any

from openreward.api._session import http
from openreward.api.environments.client import AsyncEnvironment, AsyncEnvironmentsAPI
from openreward.api.environments.types import Task
from run import Call

PACKAGE = "openreward"

http._ENV_SERVER_WAIT_CAP_S = 0.1  # between tries


def score(call: Call) -> list[float | None]:
    return asyncio.run(_score(call))


async def _score(call: Call) -> list[float | None]:
    async with AsyncEnvironmentsAPI(base_url=call.url, api_key=None) as api:
        env = api.get(call.recipe, variant=call.recipe)
        return list(await asyncio.gather(*(_score_one(env, sample) for sample in call.samples)))


async def _score_one(env: AsyncEnvironment, sample: dict[str, Any]) -> float | None:
    async with env.session(task=make_task(env, sample)) as session:
        (block,) = await session.get_prompt()
        assert block.text == sample["prompt"]
        assert [tool.name for tool in await session.list_tools()] == ["answer"]
        output = await session.call_tool("answer", {"answer": sample["response"]})
        assert output.finished
        assert ("error" in output.metadata) == (output.reward is None)
        return output.reward


def make_task(env: AsyncEnvironment, sample: dict[str, Any]) -> Task:
    """A task of our own: the sample without its response."""
    spec = {name: value for name, value in sample.items() if name != "response"}
    return Task(env.name, env.variant, spec, env.namespace)
