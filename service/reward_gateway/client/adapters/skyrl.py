"""SkyRL.

    export REWARD_GATEWAY_URL=http://HOST:8080 REWARD_GATEWAY_REWARD=RECIPE
    python -m reward_gateway.client.adapters.skyrl environment.env_class=reward_gateway …

in place of ``python -m skyrl.train.entrypoints.main_base …``, with the same settings. (``main_base`` also takes
``trainer.override_entrypoint=reward_gateway.client.adapters.skyrl``.)

Rows of the dataset have ``env_class: reward_gateway`` and, where the recipe needs it, ``reward_spec.ground_truth``.
One turn per episode. A sample without a score raises: no reward is made up. SkyRL logs the recipe's components as
``environment/NAME``. Ray's processes get this process' ``REWARD_GATEWAY_…``.

What a row says in short texts and numbers (``data_source``, ``extra_info.split``) is the sample's metadata, by which a
recipe may choose the scorer.

Samples arrive one by one: a recipe that compares a group (``grpo``) needs ``group: {cohort: {size: N}}``, N being the
samples per prompt, or ``group: {answer: combined}``.
"""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reward_gateway.client.adapters.rows import make_sample
from reward_gateway.client.adapters.service import Service, require_number

if TYPE_CHECKING:
    BaseTextEnv: Any = object
else:
    try:
        from skyrl_gym.envs.base_text_env import BaseTextEnv
    except ImportError:
        BaseTextEnv = object

ENVIRONMENT = "reward_gateway"


class RewardGatewayEnv(BaseTextEnv):  # type: ignore[misc]
    """A question, an answer, a reward."""

    def __init__(self, env_config: Any = None, extras: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        setting = env_config.get if hasattr(env_config, "get") else dict[str, Any]().get
        self._service = Service.of(
            setting("url"),
            setting("reward"),
            setting("api_key"),
            setting("timeout_s"),
            run=setting("run"),
            rendered=True,
        )
        spec = (extras or {}).get("reward_spec") or {}
        self._truth = spec.get("ground_truth")
        self._rows = [extras, spec, (extras or {}).get("extra_info")]
        self._prompt: Any = None
        self._components: dict[str, float] = {}

    def init(self, prompt: Any) -> tuple[Any, dict[str, Any]]:
        """Keep the question, which the reward is about."""
        self._prompt = prompt
        return prompt, {}

    def step(self, action: str) -> dict[str, Any]:
        """Score the answer. Raises Unscored or GatewayError where there is no reward."""
        one = self._service.score([make_sample(self._prompt, action, self._truth, rows=self._rows)])[0]
        reward, self._components = require_number(one), dict(one.components)
        return {"observations": [], "reward": reward, "done": True, "metadata": dict(self._components)}

    def close(self) -> None:
        """Nothing is held."""

    def get_metrics(self) -> dict[str, Any]:
        """The recipe's components, whose means SkyRL logs as ``environment/NAME``."""
        return dict(self._components)


def register() -> None:
    """Make the environment known to skyrl-gym, in this process."""
    from skyrl_gym.envs import register as register_environment

    register_environment(id=ENVIRONMENT, entry_point=f"{__name__}:RewardGatewayEnv")


def run(config: Any) -> None:
    """Train, in a process of Ray's."""
    from skyrl.train.entrypoints.main_base import BasePPOExp

    register()
    BasePPOExp(config).run()


def main() -> None:
    """SkyRL's entry point with the environment registered."""
    import ray
    from skyrl.train.config import SkyRLTrainConfig
    from skyrl.train.utils import validate_cfg
    from skyrl.train.utils.utils import initialize_ray

    # SkyRL's own parser knows no such setting, and refuses the line that led here.
    settings = [setting for setting in sys.argv[1:] if not setting.startswith("trainer.override_entrypoint=")]
    config = SkyRLTrainConfig.from_cli_overrides(settings)
    validate_cfg(config)
    initialize_ray(config)
    # Ray's processes on other machines have not got this one's environment, which says where the gateway is.
    ours = {name: value for name, value in os.environ.items() if name.startswith("REWARD_GATEWAY_")}
    ray.get(ray.remote(num_cpus=1, runtime_env={"env_vars": ours})(run).remote(config))


if __name__ == "__main__":
    from reward_gateway.client.adapters import skyrl  # under its own name, so that Ray's workers find it

    skyrl.main()
