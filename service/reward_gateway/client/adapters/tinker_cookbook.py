"""tinker-cookbook: an environment of one question and one answer.

    from reward_gateway.client.adapters.tinker_cookbook import RewardGatewayEnv
    env = EnvFromMessageEnv(renderer, RewardGatewayEnv(messages, reference, recipe="RECIPE"))    # in a group builder

``messages`` is the conversation up to the answer. The reward is the recipe's, its components are metrics. A sample
without a score raises, which the rollout strategy (``FailFast``, ``RetryOnFailure``) treats as a failed rollout.
"""

from collections.abc import Sequence
from typing import Any

from tinker_cookbook.rl.message_env import MessageEnv, MessageStepResult

from reward_gateway.client.adapters.rows import make_sample
from reward_gateway.client.adapters.service import Service, require_number


class RewardGatewayEnv(MessageEnv):  # type: ignore[misc]
    """One turn, rewarded by a recipe; what is not given comes from the environment."""

    def __init__(
        self,
        messages: Sequence[Any],
        reference: Any = None,
        *,
        recipe: str | None = None,
        url: str | None = None,
        api_key: str | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self._messages, self._reference = list(messages), reference
        self._service = Service.of(url, recipe, api_key, timeout_s)

    async def initial_observation(self) -> list[Any]:
        """The conversation that is to be answered."""
        return self._messages

    async def step(self, message: Any) -> Any:
        """The reward of the answer, which ends the episode. Raises Unscored, GatewayError."""
        one = await self._service.score_one(make_sample(self._messages, [message], self._reference))
        ended = [*self._messages, message]
        return MessageStepResult(require_number(one), True, ended, metrics=dict(one.components))
