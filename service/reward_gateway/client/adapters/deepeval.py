"""DeepEval: a metric.

    from reward_gateway.client.adapters.deepeval import RewardGatewayMetric
    evaluate(test_cases, [RewardGatewayMetric("RECIPE", url="http://HOST:8080", threshold=0.5)])

``input`` is the prompt, ``actual_output`` the response, ``expected_output`` the reference. A test passes where the
reward reaches ``threshold``. A test case without a score raises, which DeepEval reports as the metric's error.
"""

from typing import Any

from deepeval.metrics import BaseMetric

from reward_gateway.client import SampleScore
from reward_gateway.client.adapters.rows import make_sample
from reward_gateway.client.adapters.service import RecipeScorer, require_number


class RewardGatewayMetric(RecipeScorer, BaseMetric):  # type: ignore[misc]
    """The reward by a recipe; what is not given comes from the environment."""

    def __init__(self, recipe: str | None = None, *service: Any, threshold: float = 0.5, **settings: Any) -> None:
        super().__init__(recipe, *service, **settings)
        self.threshold = threshold

    @property
    def __name__(self) -> str:
        return self._service.reward or "reward"

    def measure(self, test_case: Any, *arguments: Any, **ignored: Any) -> float:
        return self._keep_score(self._service.score([_read_sample(test_case)])[0])

    async def a_measure(self, test_case: Any, *arguments: Any, **ignored: Any) -> float:
        return self._keep_score(await self._service.score_one(_read_sample(test_case)))

    def _keep_score(self, one: SampleScore) -> float:
        self.score = require_number(one)
        self.score_breakdown = dict(one.components)
        self.success = self.score >= self.threshold
        return self.score


def _read_sample(test_case: Any) -> dict[str, Any]:
    return make_sample(test_case.input, test_case.actual_output, test_case.expected_output)
