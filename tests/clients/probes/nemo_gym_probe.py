"""NeMo-Gym: its collector of rollouts runs its simple agent, which begins and verifies with our server."""

from typing import Any

from environment_servers.legacy_agent.app import LegacyAgentEnvironmentServer, LegacyAgentEnvironmentServerConfig
from nemo_gym_servers import collect, parse
from run import Call

__all__ = ["PACKAGE", "parse", "score"]
PACKAGE = "nemo-gym"


def score(call: Call) -> list[float | None]:
    rows = [{**_row_of(sample), "agent_ref": {"name": "simple_agent"}} for sample in call.samples]
    return collect(call, rows, "legacy_agent", LegacyAgentEnvironmentServer, LegacyAgentEnvironmentServerConfig)


def _row_of(sample: dict[str, Any]) -> dict[str, Any]:
    params = {"input": [{"role": "user", "content": sample["prompt"]}]}
    return {"responses_create_params": params, "expected_answer": sample.get("reference")}
