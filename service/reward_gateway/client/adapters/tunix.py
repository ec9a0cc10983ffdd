"""Tunix.

    export REWARD_GATEWAY_URL=http://HOST:8080 REWARD_GATEWAY_REWARD=RECIPE
    reward_functions: [reward_gateway.client.adapters.tunix]         # verl_compatible: false
    RLCluster(…); GRPOLearner(…, reward_fns=[tunix.reward])          # in a script

Ground truths come from the column ``reference``, ``ground_truth``, ``answer`` or ``solution``. Tunix adds None to the
rewards as 0.0, so a sample without a score raises here, and stops the run, as a service does that stays away longer
than ``REWARD_GATEWAY_TIMEOUT_S`` (120).

Prompts that a template has rendered, and the marks at the ends of completions, are read by the service
(guides/chat_text.md).

Tunix takes every public function of the module for a reward: ``reward`` is the only one.
"""

from collections.abc import Sequence
from typing import Any

from reward_gateway.client.adapters import batch


def reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float]:
    """Rewards, one per completion. Raises Unscored, GatewayError."""
    return batch.score_all(prompts, completions, **columns)
