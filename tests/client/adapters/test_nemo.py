"""NeMo-RL's environment by its name, and NeMo-Gym's resources server. What they call of theirs is stood in for."""

import asyncio
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from fastapi import HTTPException
from reward_gateway.client.adapters import nemo_gym, nemo_rl

from tests.client.conftest import Service

from .nemo_gym_server import SERVER, load_server, row_of

pytestmark = pytest.mark.anyio


def test_nemo_rl_knows_the_environment_and_the_python_of_its_actor(installed: Callable[..., ModuleType]) -> None:
    environments: dict[str, str] = {}
    pythons: dict[str, str] = {}
    installed("nemo_rl.environments.utils", register_env=environments.__setitem__)
    installed("nemo_rl.distributed.ray_actor_environment_registry", ACTOR_ENVIRONMENT_REGISTRY=pythons)
    installed("nemo_rl.distributed.virtual_cluster", PY_EXECUTABLES=SimpleNamespace(SYSTEM="python"))
    installed("ray", remote=lambda made: SimpleNamespace(actor_of=made))
    nemo_rl.register()
    actor = environments["reward_gateway"]
    assert pythons == {actor: "python"}
    module, _, name = actor.rpartition(".")
    assert getattr(importlib.import_module(module), name).actor_of is nemo_rl.RewardEnvironment


def test_nemo_rls_script_runs_with_its_own_arguments_once_the_environment_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, said = tmp_path / "run_grpo.py", tmp_path / "said"
    known: list[str] = []
    monkeypatch.setattr(nemo_rl, "register", lambda: known.append("reward_gateway"))
    script.write_text(
        "import sys, pathlib\n"
        "from reward_gateway.client.adapters import nemo_rl\n"
        "pathlib.Path(sys.argv[2]).write_text(' '.join([__name__, *sys.argv[1:]]))\n"
    )
    monkeypatch.setattr(sys, "argv", ["nemo_rl", str(script), "--config", str(said)])
    nemo_rl.main()
    assert known == ["reward_gateway"]
    assert said.read_text() == f"__main__ --config {said}"


@pytest.fixture
def app(installed: Callable[..., ModuleType]) -> Any:
    """The file as NeMo-Gym runs it."""
    return load_server(installed)


async def test_nemo_gyms_row_comes_back_with_the_recipes_reward(app: Any, service: Service) -> None:
    server = app.RewardGatewayServer(app.RewardGatewayConfig(url=service.url, reward="right", run="first"))
    found = await server.verify(row_of(app, "42", expected_answer="42", source="a"))
    assert (found.reward, found.reward_components["equal"], found.source) == (1.0, 1.0, "a")
    assert found.response == row_of(app, "42").response
    assert service.requests[-1][0] == "/run/first/r/right/nemo_gym/verify"


async def test_nemo_gyms_row_without_a_score_is_an_http_error_with_the_gateways_status(
    app: Any, service: Service
) -> None:
    server = app.RewardGatewayServer(app.RewardGatewayConfig(url=service.url, reward="right"))
    with pytest.raises(HTTPException, match="reference") as refused:
        await server.verify(row_of(app, "42"))
    assert refused.value.status_code == 422
    service.refusals.append((503, {}))
    with pytest.raises(HTTPException) as refused:
        await server.verify(row_of(app, "42", answer="42"))
    assert refused.value.status_code == 503


async def test_nemo_gyms_row_does_not_wait_for_good_for_a_gateway_that_is_away(
    app: Any, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send_for_good(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(app, "request", send_for_good)
    with pytest.raises(HTTPException, match=r"within 0\.5 s") as refused:
        await app.RewardGatewayServer(app.RewardGatewayConfig()).verify(row_of(app, "42"))
    assert refused.value.status_code == 503


async def test_nemo_gyms_server_takes_from_the_environment_what_its_configuration_leaves_out(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"URL": "http://host:1/", "REWARD": "a/b", "RUN": "r", "API_KEY": "k"}.items():
        monkeypatch.setenv(f"REWARD_GATEWAY_{name}", value)
    config = app.RewardGatewayConfig()
    assert config.address() == "http://host:1/run/r/r/a%2Fb/nemo_gym/verify"
    assert config.headers() == {"Authorization": "Bearer k"}
    assert app.RewardGatewayConfig(url="http://other", reward="x").address() == "http://other/run/r/r/x/nemo_gym/verify"


def test_nemo_gym_finds_the_server_by_the_folders_that_its_configuration_names() -> None:
    config = yaml.safe_load((SERVER / "configs/reward_gateway.yaml").read_text())
    (kind, servers), *_ = config["reward_gateway"].items()
    ((name, server),) = servers.items()
    assert (Path(nemo_gym.__path__[0]) / kind / name / server["entrypoint"]).is_file()
    assert (SERVER / "requirements.txt").is_file()
    agent = config["reward_gateway_simple_agent"]["responses_api_agents"]["simple_agent"]
    assert agent["resources_server"] == {"type": kind, "name": "reward_gateway"}
