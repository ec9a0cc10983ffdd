"""DeepEval: evaluate() runs a metric over test cases; what a metric raises becomes its error."""

import os

os.environ.update(DEEPEVAL_TELEMETRY_OPT_OUT="YES", DEEPEVAL_DISABLE_DOTENV="1")

from deepeval import evaluate
from deepeval.evaluate import AsyncConfig, DisplayConfig, ErrorConfig
from deepeval.test_case import LLMTestCase
from reward_gateway.client.adapters.deepeval import RewardGatewayMetric
from run import Call

PACKAGE = "deepeval"


def score(call: Call) -> list[float | None]:
    cases = [
        LLMTestCase(input=sample["prompt"], actual_output=sample["response"], expected_output=sample.get("reference"))
        for sample in call.samples
    ]
    result = evaluate(
        cases,
        [RewardGatewayMetric(call.recipe, threshold=0.0)],
        async_config=AsyncConfig(run_async=True),
        display_config=DisplayConfig(show_indicator=False, print_results=False),
        error_config=ErrorConfig(ignore_errors=True),
    )
    rewards: dict[str, float | None] = {}
    for test in result.test_results:
        (metric,) = test.metrics_data
        rewards[test.input] = None if metric.error else metric.score
    return [rewards[case.input] for case in cases]
