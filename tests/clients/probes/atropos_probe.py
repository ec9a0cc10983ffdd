"""atropos: a reward function made by its registry."""

import reward_gateway.client.adapters.atropos  # noqa: F401  (registers itself)
from atroposlib.envs.reward_fns.registry import registry
from run import Call

PACKAGE = "atroposlib"


def score(call: Call) -> list[float | None]:
    function = registry.create({"type": "reward_gateway", "recipe": call.recipe, "url": call.url})
    return list(function(call.column("response"), prompts=call.column("prompt"), ground_truth=call.column("reference")))
