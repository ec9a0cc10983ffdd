"""The reward model that LeRobot makes of :class:`.configuration_gateway.GatewayConfig`."""

from collections.abc import Mapping
from typing import Any

from lerobot.rewards.pretrained import PreTrainedRewardModel

from .configuration_gateway import GatewayConfig
from .reward_model import RewardGatewayRewardModel


class GatewayRewardModel(PreTrainedRewardModel):  # type: ignore[misc]
    """A reward model without weights, which asks the gateway. It cannot be trained."""

    name = "reward_gateway"
    config_class = GatewayConfig

    def __init__(self, config: GatewayConfig, **ignored: Any) -> None:
        super().__init__(config)
        self._model = RewardGatewayRewardModel(
            config.reward,
            config.url,
            timeout_s=config.timeout_s,
            camera=config.image_key,
            task=config.default_task,
            quality=config.quality,
            run=config.run,
        )

    def compute_reward(self, batch: Mapping[str, Any]) -> Any:
        """Rewards [B], float32, on the configured device. Raises as :meth:`RewardGatewayRewardModel.compute_reward`."""
        return self._model.compute_reward(batch).to(self.config.device)

    def predict_reward(self, batch: Mapping[str, Any], threshold: float = 0.5) -> Any:
        """As :meth:`RewardGatewayRewardModel.predict_reward`."""
        return self._model.predict_reward(batch, threshold).to(self.config.device)

    def reset(self) -> None:
        """An episode begins: the next frame is its first."""
        self._model.reset()
