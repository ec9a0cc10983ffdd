"""open-instruct.

    export REWARD_GATEWAY_URL=http://HOST:8080 REWARD_GATEWAY_REWARD=RECIPE
    python -m reward_gateway.client.adapters.open_instruct open_instruct/grpo_fast.py …   # in place of `python …`

and ``reward_gateway`` in the dataset's column ``dataset``; the verifier of that name is found because its class is
there. The label is the sample's reference. A sample without a score raises.

Samples arrive one by one: a recipe that compares a group (``grpo``) needs ``group: {cohort: {size: N}}``, N being the
samples per prompt, or ``group: {answer: combined}``.
"""

import runpy
import sys
from typing import TYPE_CHECKING, Any

from reward_gateway.client import SampleScore
from reward_gateway.client.adapters.rows import make_sample
from reward_gateway.client.adapters.service import Service, require_number

if TYPE_CHECKING:
    VerifierFunction: Any = object
    VerificationResult: Any = None
else:
    try:
        from open_instruct.ground_truth_utils import VerificationResult, VerifierFunction
    except ImportError:
        VerifierFunction, VerificationResult = object, None


class RewardGatewayVerifier(VerifierFunction):  # type: ignore[misc]
    """The reward of a prediction by the recipe."""

    def __init__(self, verifier_config: Any = None) -> None:
        if VerificationResult is None:
            raise ImportError("open-instruct is not installed here")
        super().__init__("reward_gateway", verifier_config=verifier_config, weight=1.0)

    def __call__(
        self, tokenized_prediction: Any, prediction: str, label: Any, query: Any = None, rollout_state: Any = None
    ) -> Any:
        return _to_result(Service.of().score([make_sample(query, prediction, label)])[0])

    async def async_call(
        self, tokenized_prediction: Any, prediction: str, label: Any, query: Any = None, rollout_state: Any = None
    ) -> Any:
        """The same, where calls of the same moment travel together."""
        return _to_result(await Service.of().score_one(make_sample(query, prediction, label)))


def _to_result(score: SampleScore) -> Any:
    return VerificationResult(score=require_number(score))


def main() -> None:
    """Run open-instruct's script, to which the verifier is known by now."""
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    from reward_gateway.client.adapters import open_instruct  # under its own name, so that workers find the class

    open_instruct.main()
