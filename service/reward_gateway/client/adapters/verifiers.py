"""verifiers and prime-rl.

    [env.taskset.task.rewards]
    rm = { fn = "reward_gateway.client.adapters.verifiers:reward", weight = 1.0 }

with ``REWARD_GATEWAY_URL`` and ``REWARD_GATEWAY_REWARD`` in the environment. The ground truth is the task's field
``reference``, ``ground_truth``, ``answer`` or ``solution``; its ``system_prompt`` becomes the prompt's first message. A
sample without a score raises, which verifiers counts as the rollout's error and not as a reward.

Samples arrive one by one: a recipe that compares a group (``grpo``) needs ``group: {cohort: {size: N}}``, N being the
samples per prompt, or ``group: {answer: combined}``.

Rubrics of releases up to 0.2 take ``rubric_reward``: ``Rubric(funcs=[rubric_reward])``. They make 0.0 of every
exception by themselves; :func:`reward` is the better place where there is a choice.
"""

from collections.abc import Mapping
from typing import Any

from reward_gateway.client.adapters.rows import REFERENCES, convert_text, make_sample
from reward_gateway.client.adapters.service import Service, require_number


async def reward(task: Any, trace: Any) -> float:
    """The reward of a rollout: its last reply to the task's prompt, which begins with its system prompt, if any."""
    truth = next((value for name in REFERENCES if (value := getattr(task, name, None)) is not None), None)
    return require_number(
        await Service.of().score_one(
            make_sample(_read_prompt(task), trace.last_reply, truth, rows=[getattr(task, "__dict__", None)])
        )
    )


async def rubric_reward(
    prompt: Any, completion: Any, answer: Any = None, info: Mapping[str, Any] | None = None, **ignored: Any
) -> float:
    """The reward of a completion, for a legacy rubric. An empty answer is none."""
    truth = None if isinstance(answer, str) and not answer else answer
    if truth is None:
        truth = next((info[name] for name in REFERENCES if info and info.get(name) is not None), None)
    return require_number(await Service.of().score_one(make_sample(prompt, completion, truth, rows=[info, ignored])))


def _read_prompt(task: Any) -> Any:
    """The task's prompt, after its system prompt where it has one that the prompt does not begin with."""
    prompt, system = task.prompt, getattr(task, "system_prompt", None)
    if not system or not isinstance(system, str):
        return prompt
    messages = [] if prompt is None else convert_text(prompt)
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if messages and messages[0].get("role") == "system":
        return prompt
    return [{"role": "system", "content": system}, *messages]
