"""verifiers: its NeMo-Gym taskset posts the row and the response to /seed_session and /verify."""

import asyncio
from types import SimpleNamespace
from typing import Any

from run import Call
from verifiers.v1.tasksets.nemo_gym import taskset
from verifiers.v1.tasksets.nemo_gym.taskset import NeMoGymData, NeMoGymTask, NeMoGymTaskConfig
from verifiers.v1.tasksets.nemo_gym.toolset import NeMoGymState

PACKAGE = "verifiers"

taskset.trace_to_nemo_response = lambda trace, params, tools: trace.response  # a trace is made by whole rollouts only


def score(call: Call) -> list[float | None]:
    return asyncio.run(_score(call))


async def _score(call: Call) -> list[float | None]:
    return list(await asyncio.gather(*(_score_one(call, sample) for sample in call.samples)))


async def _score_one(call: Call, sample: dict[str, Any]) -> float:
    row = {
        "responses_create_params": {"input": [{"role": "user", "content": sample["prompt"]}]},
        "expected_answer": sample.get("reference"),
    }
    config = NeMoGymTaskConfig(resources_url=f"{call.url}/r/{call.recipe}", request_timeout=10.0)
    task = NeMoGymTask(NeMoGymData(name="t", prompt=sample["prompt"], row=row), config)
    trace = SimpleNamespace(state=NeMoGymState(), info={}, record_metric=lambda *_: None, response=_response(sample))
    await task.setup(trace, None)
    return float(await task.nemo_gym(trace))


def _response(sample: dict[str, Any]) -> dict[str, Any]:
    content = [{"type": "output_text", "text": sample["response"], "annotations": []}]
    message = {"id": "m", "role": "assistant", "type": "message", "status": "completed", "content": content}
    return {
        "id": "r", "created_at": 0, "model": "m", "object": "response", "output": [message],
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip


def parse(lines: list[str]) -> str:
    (url,) = [line for line in lines if line.startswith("http")]
    assert NeMoGymTaskConfig(resources_url=url).resources_url == url
    return NeMoGymTaskConfig.__name__
