"""Agent-lightning: the reward of a rollout.

From version 1.0 on an agent is a program of its own, which reports its reward to the address that it finds in
``AGL_EVENT_URL``:

    from reward_gateway.client.adapters.agent_lightning import report
    await report(task, answer)                             # RECIPE by REWARD_GATEWAY_REWARD, or recipe="RECIPE"

Before 1.0 a rollout answers with its reward:

    from reward_gateway.client.adapters.agent_lightning import reward

    @agl.rollout
    async def agent(task, llm):
        answer = …
        return await reward(task, answer)

The prompt is the task's ``prompt``, ``question``, ``problem`` or ``input`` (or ``prompt=`` of the call), the reference
its ``reference``, ``ground_truth``, ``answer`` or ``solution``. A task without a score raises: the rollout has failed,
and has no reward. Version 1.0 trains such a rollout on ``agentlightning.reward_fillna_value``, 0.0 unless you set
another number; nothing that is reported can prevent that. A service that is away for a while is waited for: let
``timeout_s`` be as long as ``agentlightning.rollout_timeout_seconds`` has room for.
"""

import os
from collections.abc import Mapping
from typing import Any

import httpx

from reward_gateway.client.adapters.rows import REFERENCES, make_sample
from reward_gateway.client.adapters.service import Service, require_number

_PROMPTS = ("prompt", "question", "problem", "input")


async def reward(
    task: Any,
    response: Any,
    *,
    prompt: Any = None,
    recipe: str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    timeout_s: float | None = None,
) -> float:
    """The reward of a response to a task, a mapping or the prompt itself. Raises Unscored, GatewayError."""
    fields = task if isinstance(task, Mapping) else {"prompt": task}
    asked = prompt if prompt is not None else next((fields[name] for name in _PROMPTS if fields.get(name)), None)
    reference = next((fields[name] for name in REFERENCES if fields.get(name) is not None), None)
    service = Service.of(url, recipe, api_key, timeout_s)
    return require_number(await service.score_one(make_sample(asked, response, reference, rows=[fields])))


async def report(task: Any, response: Any, *, event_url: str | None = None, **options: Any) -> float:
    """The reward of a response, which is told to Agent-lightning (1.0 and later) as that of this rollout.

    Args:
        task, response: as for :func:`reward`, as are the other options.
        event_url: where rollouts report; None: the variable ``AGL_EVENT_URL`` of the agent's process.

    Raises:
        Unscored, GatewayError: there is no reward, and nothing was reported.
        httpx.HTTPError: Agent-lightning took no report.
        KeyError: nothing says where to report.
    """
    address, key = event_url or os.environ["AGL_EVENT_URL"], os.environ.get("AGL_KEY")
    value = await reward(task, response, **options)
    event = {"event_type": "reward", "data": {"value": value, "source": "agent"}}
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"} if key else None) as client:
        (await client.post(address, json=event)).raise_for_status()
    return value
