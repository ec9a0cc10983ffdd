"""Agent-lightning: the reward of a rollout.

    from reward_gateway.client.adapters.agent_lightning import reward

    @agl.rollout
    async def agent(task, llm):
        answer = …
        return await reward(task, answer)                  # RECIPE by REWARD_GATEWAY_REWARD, or recipe="RECIPE"

The prompt is the task's ``prompt``, ``question``, ``problem`` or ``input`` (or ``prompt=`` of the call), the reference
its ``reference``, ``ground_truth``, ``answer`` or ``solution``. A task without a score raises: the rollout has failed,
and has no reward.
"""

from collections.abc import Mapping
from typing import Any

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
    return require_number(await service.score_one(make_sample(asked, response, reference)))
