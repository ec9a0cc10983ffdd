"""Fireworks reward-kit: ``POST /reward`` or ``/evaluate`` with chat messages, one score out.

A sample that cannot be scored has ``is_score_valid: false``, a null score, and the reason.
"""

from typing import Any

from msgspec import Struct

from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest, Scores
from .texts import label_text, split_conversation

dialect = Dialect(
    Policy(
        name="reward_kit",
        title="reward-kit",
        clients=("Fireworks reward-kit",),
        prefix="reward_kit",
        on_invalid="null",
    )
)
router = dialect.router


class EvaluateRequest(Struct):
    """A conversation whose last message is scored."""

    messages: list[Any]
    ground_truth: Any = None
    model: str | None = None
    reward: str | None = None


class MetricResult(Struct):
    """One component of the reward."""

    score: float | None
    is_score_valid: bool
    reason: str


class Evaluated(Struct):
    """The score of the last message, or null and the reason."""

    score: float | None
    is_score_valid: bool
    reason: str
    metrics: dict[str, MetricResult]
    step_outputs: None
    error: str | None


@dialect.post(
    "/reward",
    "/evaluate",
    body=EvaluateRequest,
    answer=Evaluated,
    example={"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]},
)
async def evaluate(request: DialectRequest, body: EvaluateRequest) -> Any:
    """The score of the last message, its components as metrics."""
    sample = split_conversation(body.messages, "messages")
    sample.reference = _read_reference(body.ground_truth)
    scores = await request.score([sample], body.reward, body.model)
    failed = scores.failed.get(0)
    return {
        "score": None if failed else scores.numbers()[0],
        "is_score_valid": failed is None,
        "reason": failed.message if failed else f"scored by {scores.plan.name}",
        "metrics": {} if failed else _component_metrics(scores),
        "step_outputs": None,
        "error": failed.message if failed else None,
    }


def _component_metrics(scores: Scores) -> dict[str, Any]:
    return {
        name: {"score": value, "is_score_valid": True, "reason": "component of the reward"}
        for name, value in scores.component_row(0).items()
    }


def _read_reference(value: Any) -> str | None:
    """The reference: a text, or the last of several messages."""
    if isinstance(value, list) and value and all(isinstance(item, dict) and "content" in item for item in value):
        value = value[-1]["content"]
    return label_text(value)
