"""rLLM: a reward function, for ``SingleTurnEnvironment``, ``AgentTrainer`` and what else takes ``reward_fn``.

    from reward_gateway.client.adapters.rllm import reward
    AgentTrainer(…, env_args={"reward_fn": reward})        # make_reward("RECIPE", "http://HOST:8080") with arguments

The prompt is the task's ``question``, ``problem`` or ``prompt``, the reference its ``ground_truth`` (``reference``,
``answer``, ``solution``). A task without a score raises.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from reward_gateway.client.adapters.rows import REFERENCES, make_sample
from reward_gateway.client.adapters.service import Service, require_number

_PROMPTS = ("question", "problem", "prompt")


@dataclass(slots=True, kw_only=True)
class RewardOutput:
    """The fields of rLLM's ``RewardOutput``, for where it is not installed."""

    reward: float
    is_correct: bool
    metadata: dict[str, Any] = field(default_factory=dict)


def reward(
    task_info: Mapping[str, Any],
    action: str,
    *,
    recipe: str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    timeout_s: float | None = None,
) -> Any:
    """The reward of an answer; ``is_correct`` where it is above 0. Raises Unscored, GatewayError."""
    prompt = next((task_info[name] for name in _PROMPTS if task_info.get(name) is not None), None)
    reference = next((task_info[name] for name in REFERENCES if task_info.get(name) is not None), None)
    service = Service.of(url, recipe, api_key, timeout_s, rendered=True)
    (one,) = service.score([make_sample(prompt, action, reference, rows=[task_info])])
    number = require_number(one)
    return _reward_output()(reward=number, is_correct=number > 0.0)


def make_reward(recipe: str | None = None, url: str | None = None, **settings: Any) -> Any:
    """The same with its arguments, which can be pickled."""
    return partial(reward, recipe=recipe, url=url, **settings)


def _reward_output() -> Any:
    try:
        from rllm.rewards.reward_types import RewardOutput as Theirs
    except ImportError:
        return RewardOutput
    return Theirs
