"""TRL (GRPO, RLOO; Unsloth and axolotl take the same functions).

    export REWARD_GATEWAY_URL=http://HOST:8080
    trl grpo … --reward_funcs reward_gateway.client.adapters.trl.reward          # REWARD_GATEWAY_REWARD, or the default
    trl grpo … --reward_funcs reward_gateway.client.adapters.trl.harmless \
                              reward_gateway.client.adapters.trl.brevity         # recipes by their names, two at once

In a script: ``GRPOTrainer(reward_funcs=[make_reward("harmless", "http://HOST:8080")], …)``.

Ground truths come from the dataset column ``reference``, ``ground_truth``, ``answer`` or ``solution``. What the other
columns hold as short texts, numbers and booleans is the sample's metadata, by which a recipe may choose the scorer of a
mixed data set: ``score: {by: metadata.task, cases: …}``. A sample that
cannot be scored is None, which TRL leaves out. While the service is away the call waits up to
``REWARD_GATEWAY_TIMEOUT_S`` (120), then the whole batch is None: it trains on nothing instead of on zeros. A recipe
that does not exist, a wrong key or a malformed request raises, and stops the run.

With ``run=NAME`` or ``REWARD_GATEWAY_RUN`` the gateway keeps the history of the run by TRL's own steps: ``GET
/v1/runs/NAME?bucket=step``.

The function can be pickled, as TRL's asynchronous trainer does to score in the process of its rollouts. With
``jobs=True``, or ``REWARD_GATEWAY_JOBS=1``, a batch is a job: a judge that takes minutes holds no request, and a
gateway that restarts goes on with it. Set ``REWARD_GATEWAY_TIMEOUT_S`` to what the slowest batch may take.
"""

import logging
from collections.abc import Mapping, Sequence
from inspect import Signature, signature
from typing import Any

from reward_gateway.client.adapters.rows import make_samples
from reward_gateway.client.adapters.service import Service, find_step, is_temporary, optional_numbers
from reward_gateway.errors import GatewayError

log = logging.getLogger(__name__)


class RewardFunction:
    """A reward function that can be pickled: TRL's asynchronous trainer sends it to another process.

    It is an object with an asynchronous ``__call__`` and a name of its own. Older releases of TRL ask whether it is a
    coroutine function (``inspect.iscoroutinefunction``), which does not look at ``__call__``, but takes an object with
    the attributes of a function for one: it has those of its ``__call__``.
    """

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        self.__name__ = self.__qualname__ = name
        self._given = dict(given)

    async def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], completion_ids: Any = None, **columns: Any
    ) -> list[float | None]:
        service, step = Service.of(**self._given, rendered=True), find_step(columns.get("trainer_state"))
        try:
            rewards = optional_numbers(await service.score_soon(make_samples(prompts, completions, columns), step))
        except GatewayError as error:
            if not is_temporary(error):
                raise
            log.warning("no rewards for %d completions, which are left out: %s", len(completions), error.message)
            rewards = [None] * len(completions)
        if (log_metric := columns.get("log_metric")) is not None and rewards:
            log_metric(f"{self.__name__}/unscored", rewards.count(None) / len(rewards))
        return rewards

    __code__ = __call__.__code__
    __defaults__ = __call__.__defaults__
    __kwdefaults__ = __call__.__kwdefaults__
    __signature__ = Signature([*signature(__call__).parameters.values()][1:])


def make_reward(
    recipe: str | None = None,
    url: str | None = None,
    *,
    api_key: str | None = None,
    timeout_s: float | None = None,
    run: str | None = None,
    jobs: bool | None = None,
) -> RewardFunction:
    """A reward function for one recipe, under whose name TRL logs it. What is not given comes from the environment of
    the process that calls it.

    Args:
        jobs: score by jobs: for judges that take longer than a request should.
    """
    given = {"url": url, "reward": recipe, "api_key": api_key, "timeout_s": timeout_s, "run": run, "jobs": jobs}
    return RewardFunction(recipe or "reward", given)


reward = make_reward()
"""The recipe that ``REWARD_GATEWAY_REWARD`` names, else the service's default."""


def __getattr__(name: str) -> RewardFunction:
    """A recipe by its name, so that a dotted path is all that a command line needs."""
    if name.startswith("_"):
        raise AttributeError(name)
    return make_reward(name)
