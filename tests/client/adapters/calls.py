"""Each adapter as its trainer calls it, with one prompt and one response; frameworks are stood in for."""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from fastapi import HTTPException
from reward_gateway.client.adapters import (
    agent_lightning,
    areal,
    art,
    batch,
    easyr1,
    hatchery,
    langsmith,
    lerobot,
    nemo_rl,
    openenv,
    rewardbench,
    rllm,
    skyrl,
    slime,
    trl,
    tunix,
    verifiers,
    verl,
    verl_manager,
)
from reward_gateway.client.adapters.service import Unscored

from .conftest import Module, fresh
from .nemo_gym_server import load_server, row_of

ADAPTERS = Path(skyrl.__file__).parent
ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How do I boil an egg?"}]

Call = Callable[[str, str], Any]


def _slime(prompt: str, response: str) -> Any:
    sample = SimpleNamespace(prompt=prompt, response=response, label=None, group_index=None, metadata={})
    return slime.reward(SimpleNamespace(), sample)


async def _slime_group(prompt: str, response: str) -> Any:
    sample = SimpleNamespace(prompt=prompt, response=response, label=None, group_index=1, metadata={})
    first, second = await slime.reward(SimpleNamespace(), [sample, sample])  # type: ignore[misc]
    assert first == second
    return first


def _easyr1(prompt: str, response: str) -> Any:
    return easyr1.compute_score([{"prompt": prompt, "response": response}])[0]["overall"]


async def _verl(prompt: str, response: str) -> Any:
    return (await verl.compute_score("d", response, None, {"prompt": prompt}))["score"]


def _verl_batch(prompt: str, response: str) -> Any:
    return verl.compute_scores(["d"], [response], [None], [{"prompt": prompt}])[0]["score"]


async def _trl(prompt: str, response: str) -> Any:
    return (await trl.reward([prompt], [response]))[0]


TEXT_CALLS: dict[str, Call] = {
    "areal": lambda prompt, response: areal.reward(prompt, response, [1], [2], messages=ASKED),
    "slime": _slime,
    "slime, a group": _slime_group,
    "easyr1": _easyr1,
    "verl": _verl,
    "verl, a batch": _verl_batch,
    "tunix": lambda prompt, response: tunix.reward([np.str_(prompt)], [np.str_(response)])[0],
    "batch": lambda prompt, response: batch.score([prompt], [response])[0],
    "trl": _trl,
    "rllm": lambda prompt, response: rllm.reward({"question": prompt}, response).reward,
}


def _skyrl(_: str, response: str) -> Any:
    environment = skyrl.RewardGatewayEnv({}, {})
    environment.init(ASKED)
    return environment.step(response)["reward"]


async def _verl_manager(_: str, response: str) -> Any:
    manager = verl_manager.RewardGatewayManager(SimpleNamespace(reward={}), Decoder(response))
    tensors = {"responses": np.array([1, 2]), "attention_mask": np.array([1, 1, 1])}
    row = SimpleNamespace(batch=tensors, non_tensor_batch={"raw_prompt": np.array(ASKED, dtype=object)})
    return (await manager.run_single([row]))["reward_score"]


class Decoder:
    """A tokeniser for which the end mark is no special token."""

    def __init__(self, text: str) -> None:
        self.text = text

    def decode(self, tokens: Any, skip_special_tokens: bool) -> str:
        return self.text


MESSAGE_CALLS: dict[str, Call] = {"skyrl": _skyrl, "verl_manager": _verl_manager}
"""Adapters that are handed the prompt as messages, and the response decoded."""

# Adapters of frameworks that hand over messages or texts of their own.


async def _agent_lightning(prompt: str, response: str) -> Any:
    return await agent_lightning.reward({"question": prompt}, response)


async def _art(prompt: str, response: str) -> Any:
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
    trajectory = SimpleNamespace(messages=lambda: messages, metadata={}, metrics={}, reward=0.0)
    group = SimpleNamespace(trajectories=[trajectory], metadata={}, logs=[])
    return trajectory.reward if await art.score_group(group) is not None else None


def _hatchery(prompt: str, response: str) -> Any:
    asked = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
    return hatchery.score([asked], [f"{response}<|im_end|>"])[0]


def _langsmith(prompt: str, response: str) -> Any:
    return langsmith.reward({"question": prompt}, {"answer": response})["score"]


def _lerobot(prompt: str, _: str) -> Any:
    model = lerobot.RewardGatewayRewardModel()
    return float(model.compute_reward({"observation.image": np.zeros((1, 3, 8, 8), np.uint8), "task": [prompt]})[0])


def _openenv(prompt: str, response: str) -> Any:
    return openenv.RewardRubric().forward({"answer": response}, {"prompt": prompt})


def _rewardbench(prompt: str, response: str) -> Any:
    text = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n{response}<|im_end|>\n"
    model = rewardbench.build_model(os.environ["REWARD_GATEWAY_REWARD"])
    return rewardbench.RewardGatewayPipeline("", model, None)([text])[0]["score"]


async def _verifiers(prompt: str, response: str) -> Any:
    return await verifiers.reward(SimpleNamespace(prompt=prompt), SimpleNamespace(last_reply=response))


async def _rubric(prompt: str, response: str) -> Any:
    return await verifiers.rubric_reward(prompt, response)


OTHER_CALLS: dict[str, Call] = {
    "agent_lightning": _agent_lightning,
    "art": _art,
    "hatchery": _hatchery,
    "langsmith": _langsmith,
    "lerobot": _lerobot,
    "openenv": _openenv,
    "rewardbench": _rewardbench,
    "verifiers": _verifiers,
    "verifiers, a rubric": _rubric,
}


LEAVE_OUT = ("art", "autoevals", "batch", "inspect_ai", "langsmith", "ms_swift", "trl")
"""Adapters that answer None for a sample without a score."""


async def number(call: Call, prompt: str, response: str) -> Any:
    found = call(prompt, response)
    return await found if inspect.isawaitable(found) else found


def framework_calls(installed: Module) -> dict[str, Call]:
    """Adapters that are classes of their framework, over stand-ins for its bases."""

    class Based:
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            self.wandb_logger = None
            self.weight = 1.0

    def read(name: str) -> Any:
        return fresh(ADAPTERS / name)

    orms: dict[str, Any] = {}
    installed("swift.rewards", AsyncORM=object, orms=orms)
    read("ms_swift/plugin.py")
    registry = SimpleNamespace(register=lambda name: lambda kind: kind)
    installed("atroposlib.envs.reward_fns.registry", registry=registry)
    installed("atroposlib.envs.reward_fns.reward_function", RewardFunction=type("RewardFunction", (Based,), {}))
    verification = {"VerificationResult": SimpleNamespace, "VerifierFunction": type("VerifierFunction", (Based,), {})}
    installed("open_instruct.ground_truth_utils", **verification)
    installed("torch", float32=np.float32, tensor=np.array, ones=np.ones)
    installed("autoevals.score", Score=SimpleNamespace, Scorer=object)
    installed("deepeval.metrics", BaseMetric=object)
    unscored = staticmethod(lambda **said: SimpleNamespace(value=None))
    score = type("Score", (SimpleNamespace,), {"unscored": unscored})
    described = {"scorer": lambda metrics: lambda made: made, "mean": Based, "stderr": Based, "Score": score}
    installed("inspect_ai.scorer", Scorer=object, Target=list, **described)
    installed("inspect_ai.solver", TaskState=object)
    installed("tinker_cookbook.rl.message_env", MessageEnv=object, MessageStepResult=Step)

    async def ms_swift(prompt: str, response: str) -> Any:
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": "x"}]
        return (await orms["reward_gateway"]()([response], messages=[turns]))[0]

    def atropos(prompt: str, response: str) -> Any:
        return read("atropos.py").RewardGateway().compute([response], prompts=[prompt])[0]

    async def open_instruct(prompt: str, response: str) -> Any:
        return (await read("open_instruct.py").RewardGatewayVerifier().async_call([1], response, None, prompt)).score

    def nemo(prompt: str, response: str) -> Any:
        log = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        return nemo_rl.RewardEnvironment().step([log], [{}]).rewards[0]

    def autoevals(prompt: str, response: str) -> Any:
        return read("autoevals.py").RewardGateway()._run_eval_sync(response, input=prompt).score

    async def deepeval(prompt: str, response: str) -> Any:
        case = SimpleNamespace(input=prompt, actual_output=response, expected_output=None)
        metric = read("deepeval.py").RewardGatewayMetric()
        assert metric.measure(case) == await metric.a_measure(case)
        return metric.score

    async def inspect_ai(prompt: str, response: str) -> Any:
        state = SimpleNamespace(input=prompt, output=SimpleNamespace(completion=response))
        return (await read("inspect_ai.py").reward()(state, [])).value

    async def tinker_cookbook(prompt: str, response: str) -> Any:
        environment = read("tinker_cookbook.py").RewardGatewayEnv([{"role": "user", "content": prompt}])
        return (await environment.step({"role": "assistant", "content": response})).reward

    async def nemo_gym(prompt: str, response: str) -> Any:
        app = load_server(installed)
        row = row_of(app, response, prompt)
        try:
            return (await app.RewardGatewayServer(app.RewardGatewayConfig()).verify(row)).reward
        except HTTPException as refused:
            raise Unscored(refused.detail) from None

    return {
        "ms_swift": ms_swift,
        "atropos": atropos,
        "open_instruct": open_instruct,
        "nemo_rl": nemo,
        "nemo_gym": nemo_gym,
        "autoevals": autoevals,
        "deepeval": deepeval,
        "inspect_ai": inspect_ai,
        "tinker_cookbook": tinker_cookbook,
    }


@dataclass
class Step:
    """tinker-cookbook's result of a step."""

    reward: float
    episode_done: bool
    next_messages: list[Any]
    metrics: dict[str, float]
