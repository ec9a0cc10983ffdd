"""TRL's asynchronous trainer scores a group of rollouts in the process that it spawns for them; run by TRL's Python.

    python async_rollouts.py URL RECIPE…

prints what the trainer would train on: a JSON list of samples, each with its metrics and its advantage. The rollouts
themselves, which come from vLLM, and the weights, which go to it by NCCL, are left out.
"""

import asyncio
import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from accelerate import PartialState
from reward_gateway.client.adapters.trl import make_reward
from trl.experimental.async_grpo.async_rollout_worker import RolloutGroup, TrainingSequence, _AsyncRolloutLoop
from trl.trainer.utils import get_callable_name

RESPONSES, ANSWERS = ["42", "41", "6 times 7 is 42", "42"], ["42", "42", "42", None]


def score(functions: list[Any]) -> list[dict[str, float]]:
    """What the spawned process does, with functions that came to it pickled."""
    PartialState(cpu=True)  # TRL's logs ask for it
    loop = object.__new__(_AsyncRolloutLoop)
    loop.reward_funcs, loop.reward_func_names = functions, [get_callable_name(each) for each in functions]
    loop._env_reward_types, loop._provides_rollout_reward = [], False
    size = len(RESPONSES)
    group = RolloutGroup(
        prompts=[[{"role": "user", "content": "What is 6 * 7?"}]] * size,
        reward_kwargs={"answer": ANSWERS},
        completions=[[{"role": "assistant", "content": text}] for text in RESPONSES],
        completions_ids=[[1]] * size,
        completions_sequences=[[TrainingSequence([1], [1], [0.0], None)] for _ in range(size)],
        tool_call_counts=[0] * size,
        tool_failure_counts=[0] * size,
        model_version=0,
        group_id=0,
        env_rewards=[None] * size,
        rollout_rewards=[None] * size,
    )
    samples = asyncio.run(loop._score_group(group))
    return [{**sample.metrics, "advantage": sample.advantage} for sample in samples]


def main() -> None:
    """Spawn the process, as TRL does, and print what it scored."""
    functions = [make_reward(recipe, sys.argv[1], jobs=jobs) for recipe in sys.argv[2:] for jobs in (False, True)]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        print(json.dumps(processes.submit(score, functions).result(timeout=120)))


if __name__ == "__main__":
    main()
