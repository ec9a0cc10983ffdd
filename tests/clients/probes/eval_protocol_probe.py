"""eval-protocol: a reward function in its remote mode."""

from eval_protocol.reward_function import RewardFunction
from run import Call

PACKAGE = "eval-protocol"


def score(call: Call) -> list[float | None]:
    function = RewardFunction(endpoint=f"{call.url}/reward?reward={call.recipe}", mode="remote")
    return [
        function(
            [{"role": "user", "content": sample["prompt"]}, {"role": "assistant", "content": sample["response"]}],
            ground_truth=sample.get("reference"),
        ).score
        for sample in call.samples
    ]
