"""verifiers and prime-rl.

    [env.taskset.task.rewards]
    rm = { fn = "reward_gateway.client.adapters.verifiers:reward", weight = 1.0 }

with ``REWARD_GATEWAY_URL`` and ``REWARD_GATEWAY_REWARD`` in the environment. The ground truth is the task's field
``reference``, ``ground_truth``, ``answer`` or ``solution``. A sample without a score raises, which verifiers counts as
the rollout's error and not as a reward.

Rubrics of releases up to 0.2 take ``rubric_reward``: ``Rubric(funcs=[rubric_reward])``. They make 0.0 of every
exception by themselves; :func:`reward` is the better place where there is a choice.
"""

from collections.abc import Mapping
from typing import Any

from reward_gateway.client.adapters.rows import REFERENCES, make_sample
from reward_gateway.client.adapters.service import Service, require_number


async def reward(task: Any, trace: Any) -> float:
    """The reward of a rollout: its last reply to the task's prompt."""
    truth = next((value for name in REFERENCES if (value := getattr(task, name, None)) is not None), None)
    return require_number(await Service.of().score_one(make_sample(task.prompt, trace.last_reply, truth)))


async def rubric_reward(
    prompt: Any, completion: Any, answer: Any = None, info: Mapping[str, Any] | None = None, **ignored: Any
) -> float:
    """The reward of a completion, for a legacy rubric. An empty answer is none."""
    truth = None if isinstance(answer, str) and not answer else answer
    if truth is None:
        truth = next((info[name] for name in REFERENCES if info and info.get(name) is not None), None)
    return require_number(await Service.of().score_one(make_sample(prompt, completion, truth)))
