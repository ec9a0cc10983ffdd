"""autoevals: a scorer is called with output, expected and input."""

from reward_gateway.client.adapters.autoevals import RewardGateway
from run import Call

PACKAGE = "autoevals"


def score(call: Call) -> list[float | None]:
    scorer = RewardGateway(call.recipe)
    return [
        scorer(sample["response"], sample.get("reference"), input=sample["prompt"]).score for sample in call.samples
    ]
