"""What reward-kit and its successor, eval-protocol, have in common: a reward function in its remote mode."""

from typing import Any

from run import Call


def score_remotely(function_class: Any, call: Call) -> list[float | None]:
    """The scores of a call's samples, one request each."""
    function = function_class(endpoint=f"{call.url}/reward?reward={call.recipe}", mode="remote")
    return [
        function(
            [{"role": "user", "content": sample["prompt"]}, {"role": "assistant", "content": sample["response"]}],
            ground_truth=sample.get("reference"),
        ).score
        for sample in call.samples
    ]
