"""NeMo-Gym: its collector of rollouts runs its environment server, which begins, verifies and ends with our server."""

from typing import Any

from environment_servers.single_agent_turn.app import (
    SingleAgentTurnEnvironmentServer,
    SingleAgentTurnEnvironmentServerConfig,
)
from nemo_gym_servers import RESOURCES, collect, parse
from run import Call

__all__ = ["PACKAGE", "parse", "score"]
PACKAGE = "nemo-gym"


def score(call: Call) -> list[float | None]:
    rows = [
        {"task_id": {"taskset": "questions", "task_id": str(place)}, "task_input": _input_of(sample)}
        for place, sample in enumerate(call.samples)
    ]
    return collect(
        call,
        rows,
        "single_agent_turn",
        SingleAgentTurnEnvironmentServer,
        SingleAgentTurnEnvironmentServerConfig,
        resources_server=RESOURCES,
        cleanup_timeout_seconds=5,
    )


def _input_of(sample: dict[str, Any]) -> dict[str, Any]:
    params = {"input": [{"role": "user", "content": sample["prompt"]}]}
    return {"responses_create_params": params, "task_data": {"expected_answer": sample.get("reference")}}
