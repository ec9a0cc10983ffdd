"""Trainers that want a class: ms-swift, SkyRL, open-instruct, NeMo-RL. Their own bases are stood in for."""

import inspect
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reward_gateway.client.adapters import nemo_rl, skyrl
from reward_gateway.client.adapters.service import Unscored
from reward_gateway.errors import Unavailable

from tests.client.conftest import Service

from .conftest import Module, fresh

pytestmark = pytest.mark.anyio

ADAPTERS = Path(skyrl.__file__).parent


class AsyncORM:
    """ms-swift's base."""

    def __init__(self, args: Any = None, **kwargs: Any) -> None:
        self.args = args


async def test_ms_swift_finds_the_recipes_under_their_names(
    installed: Module, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    orms: dict[str, Any] = {}
    installed("swift.rewards", AsyncORM=AsyncORM, orms=orms)
    monkeypatch.setenv("REWARD_GATEWAY_REWARDS", "right,brief")
    fresh(ADAPTERS / "ms_swift" / "plugin.py")
    assert set(orms) == {"reward_gateway", "right", "brief"}
    function = orms["right"](args=None)
    assert inspect.iscoroutinefunction(function.__call__)
    assert type(function).__name__ == "right"
    turns = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "42"}]
    columns: dict[str, Any] = {"messages": [turns, turns], "trainer_state": object()}
    assert await function(["42", "42"], solution=["42", None], **columns) == [1.0, None]
    assert await orms["reward_gateway"]()(["one two"], **{**columns, "messages": [turns]}) == [-0.5]


async def test_ms_swift_leaves_a_batch_out_while_the_service_is_down(installed: Module, nobody: str) -> None:
    orms: dict[str, Any] = {}
    installed("swift.rewards", AsyncORM=AsyncORM, orms=orms)
    fresh(ADAPTERS / "ms_swift" / "plugin.py")
    assert await orms["reward_gateway"]()(["a", "b"]) == [None, None]


def test_the_folder_that_ms_swift_puts_on_the_import_path_hides_no_package() -> None:
    assert {path.name for path in (ADAPTERS / "ms_swift").glob("*.py")} == {"__init__.py", "plugin.py"}


def test_a_step_in_skyrls_environment_is_scored_against_the_prompt_and_ends(service: Service) -> None:
    extras = {"reward_spec": {"ground_truth": "42"}}
    environment = skyrl.RewardGatewayEnv({"url": service.url, "reward": "right"}, extras)
    question = [{"role": "user", "content": "p"}]
    assert environment.init(question) == (question, {})
    assert environment.step("42") == {
        "observations": [],
        "reward": 1.0,
        "done": True,
        "metadata": {"equal": 1.0, "brevity": 0.0},
    }
    assert environment.get_metrics() == {"equal": 1.0, "brevity": 0.0}
    with pytest.raises(Unscored):
        skyrl.RewardGatewayEnv({"reward": "right"}, {}).step("42")


def test_skyrl_knows_the_environment_once_it_is_registered(installed: Module) -> None:
    known: dict[str, str] = {}
    installed("skyrl_gym.envs", register=lambda id, entry_point: known.update({id: entry_point}))
    skyrl.register()
    module, name = known["reward_gateway"].split(":")
    assert getattr(sys.modules[module], name) is skyrl.RewardGatewayEnv


def test_skyrls_training_runs_in_rays_process_with_our_settings_and_the_environment_registered(
    installed: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []

    class Config:
        @staticmethod
        def from_cli_overrides(settings: list[str]) -> list[str]:
            return settings

    class Experiment:
        def __init__(self, config: Any) -> None:
            self.config = config

        def run(self) -> None:
            done.append(("trained", self.config))

    def remote(**options: Any) -> Any:
        done.append(options)
        return lambda function: SimpleNamespace(remote=function)

    installed("skyrl_gym.envs", register=lambda id, entry_point: done.append(id))
    installed("skyrl.train.entrypoints.main_base", BasePPOExp=Experiment)
    installed("skyrl.train.config", SkyRLTrainConfig=Config)
    installed("skyrl.train.utils", validate_cfg=lambda config: None)
    installed("skyrl.train.utils.utils", initialize_ray=lambda config: None)
    installed("ray", remote=remote, get=lambda result: result)
    for name in [name for name in os.environ if name.startswith("REWARD_GATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "right")
    monkeypatch.setattr(sys, "argv", ["main", "a=1", f"trainer.override_entrypoint={skyrl.__name__}"])
    skyrl.main()
    assert done == [
        {"num_cpus": 1, "runtime_env": {"env_vars": {"REWARD_GATEWAY_REWARD": "right"}}},
        "reward_gateway",
        ("trained", ["a=1"]),
    ]


def test_skyrls_environment_raises_while_the_service_is_down(nobody: str) -> None:
    with pytest.raises(Unavailable):
        skyrl.RewardGatewayEnv(None, {}).step("42")


@dataclass
class VerificationResult:
    """open-instruct's answer."""

    score: float
    cost: float = 0.0
    reasoning: str | None = None


class VerifierFunction:
    """open-instruct's base."""

    def __init__(self, name: str, weight: float = 1.0, verifier_config: Any = None) -> None:
        self.name, self.weight = name, weight


async def test_open_instruct_finds_a_verifier_by_its_base(
    installed: Module, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "right")
    truth = {"VerificationResult": VerificationResult, "VerifierFunction": VerifierFunction}
    installed("open_instruct.ground_truth_utils", **truth)
    fresh(ADAPTERS / "open_instruct.py")
    (found,) = VerifierFunction.__subclasses__()
    verifier: Any = found(verifier_config=None)  # type: ignore[call-arg]
    assert verifier.name == "reward_gateway"
    assert await verifier.async_call([1], "42", "42", "p", rollout_state=None) == VerificationResult(1.0)
    assert verifier([1], "41", "42") == VerificationResult(0.0)
    with pytest.raises(Unscored):
        await verifier.async_call([1], "42", None)


def fake_torch(installed: Module) -> None:
    installed(
        "torch",
        float32=np.float32,
        tensor=lambda values, dtype: np.array(values, dtype=dtype),
        ones=lambda size, dtype: np.ones(size, dtype=dtype),
    )


def test_nemo_rl_gets_rewards_and_the_end_of_every_episode(installed: Module, service: Service) -> None:
    fake_torch(installed)
    environment = nemo_rl.RewardEnvironment({"url": service.url, "reward": "right"})
    log: list[dict[str, Any]] = [{"role": "user", "content": "p", "token_ids": object()}]
    log += [{"role": "assistant", "content": "42"}]
    answer = environment.step([log, log], [{"ground_truth": "42"}, {"ground_truth": "41"}])
    assert answer._fields == (
        "observations",
        "metadata",
        "next_stop_strings",
        "rewards",
        "terminateds",
        "answers",
    )
    assert answer.rewards.tolist() == [1.0, 0.0]
    assert answer.terminateds.tolist() == [1.0, 1.0]
    assert len(answer.observations) == len(answer.next_stop_strings) == 2


def test_nemo_rl_gets_a_reward_a_recipe_where_it_names_several(installed: Module, service: Service) -> None:
    fake_torch(installed)
    environment = nemo_rl.RewardEnvironment({"url": service.url, "rewards": ["right", "brief"]})
    log = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "4 2"}]
    rewards = environment.step([log], [{"answer": "4 2"}]).rewards
    assert {name: values.tolist() for name, values in rewards.items()} == {"right": [0.5], "brief": [-0.5]}
    with pytest.raises(Unscored):
        environment.step([log], [{}])


def test_nemo_rl_makes_an_actor_of_the_dotted_name(installed: Module) -> None:
    installed("ray", remote=lambda made: SimpleNamespace(actor_of=made))
    assert nemo_rl.Environment.actor_of is nemo_rl.RewardEnvironment
