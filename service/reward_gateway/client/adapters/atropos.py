"""atropos (Nous): a reward function of its registry.

    import reward_gateway.client.adapters.atropos             # once, where the environment is defined
    registry.create({"type": "reward_gateway", "recipe": "RECIPE", "url": "http://HOST:8080"})

An environment calls it with ``completions`` and keyword arguments: ``prompts`` (or ``prompt``), and the reference as
``reference``, ``ground_truth``, ``answer`` or ``solution``, each a list, or one value for all. atropos makes 0.0 of any
exception of a reward function; this one raises instead, where a sample has no score.
"""

from collections.abc import Sequence
from typing import Any

from atroposlib.envs.reward_fns.registry import registry
from atroposlib.envs.reward_fns.reward_function import RewardFunction

from reward_gateway.client.adapters.rows import make_samples
from reward_gateway.client.adapters.service import Service, require_numbers


@registry.register(name="reward_gateway")
class RewardGateway(RewardFunction):  # type: ignore[misc]
    """The rewards by a recipe; what is not given comes from the environment."""

    def __init__(
        self,
        weight: float = 1.0,
        name: str | None = None,
        recipe: str | None = None,
        url: str | None = None,
        api_key: str | None = None,
        timeout_s: float | None = None,
    ) -> None:
        super().__init__(weight=weight, name=name or recipe or "reward_gateway")
        self._service = Service.of(url, recipe, api_key, timeout_s, rendered=True)

    def compute(self, completions: Sequence[Any], **fields: Any) -> list[float]:
        """Rewards, one per completion. Raises Unscored, GatewayError."""
        size = len(completions)
        prompts = fields["prompts"] if fields.get("prompts") is not None else fields.get("prompt")
        columns = {name: _repeat_value(value, size) for name, value in fields.items() if name != "prompts"}
        return require_numbers(
            self._service.score(make_samples(_repeat_value(prompts, size) or [None] * size, completions, columns))
        )

    def __call__(self, completions: Sequence[Any], **fields: Any) -> list[float]:
        """Weighted rewards. Raises what :meth:`compute` raises, unlike atropos' own functions."""
        rewards = self.compute(completions, **fields)
        weighted = [reward * self.weight for reward in rewards]
        if self.wandb_logger:
            self.log_metrics(rewards, weighted)
        return weighted


def _repeat_value(value: Any, size: int) -> Any:
    """A column of one value for all; a list of the right length is a column already."""
    return value if value is None or (isinstance(value, list) and len(value) == size) else [value] * size
