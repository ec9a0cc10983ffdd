"""What LeRobot does to a batch before and after :class:`.modeling_gateway.GatewayRewardModel`: next to nothing."""

from typing import Any

from lerobot.processor import (
    AddBatchDimensionProcessorStep,
    PolicyProcessorPipeline,
    policy_action_to_transition,
    transition_to_policy_action,
)
from lerobot.utils.constants import POLICY_POSTPROCESSOR_DEFAULT_NAME, POLICY_PREPROCESSOR_DEFAULT_NAME

from .configuration_gateway import GatewayConfig


def make_reward_gateway_pre_post_processors(config: GatewayConfig, dataset_stats: Any = None) -> tuple[Any, Any]:
    """A single sample becomes a batch of one; frames are not normalised, and rewards stay as they are."""
    before = PolicyProcessorPipeline(steps=[AddBatchDimensionProcessorStep()], name=POLICY_PREPROCESSOR_DEFAULT_NAME)
    after = PolicyProcessorPipeline(
        name=POLICY_POSTPROCESSOR_DEFAULT_NAME,
        to_transition=policy_action_to_transition,
        to_output=transition_to_policy_action,
    )
    return before, after
