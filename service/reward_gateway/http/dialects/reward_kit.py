"""Fireworks reward-kit and its successor eval-protocol: ``POST /reward`` or ``/evaluate``, chat messages to one score.

A sample that cannot be scored is an HTTP error: their clients read ``score`` and no ``is_score_valid`` beside it.
"""

from typing import Any

from msgspec import Struct

from reward_gateway.sample.labels import Label, read_label

from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest, Scores
from .row_metadata import write_metadata
from .texts import split_answered

dialect = Dialect(
    Policy(
        name="reward_kit",
        title="reward-kit and eval-protocol",
        clients=("Fireworks reward-kit", "eval-protocol"),
        prefix="reward_kit",
        one_sample=True,
    )
)
router = dialect.router


class EvaluateRequest(Struct):
    """A conversation whose last message, the assistant's, is scored."""

    messages: list[Any]
    ground_truth: Any = None
    kwargs: dict[str, Any] | None = None
    model: str | None = None
    reward: str | None = None


class MetricResult(Struct):
    """One component of the reward, or how a rule judged (1 or 0)."""

    score: float
    is_score_valid: bool
    reason: str


class Evaluated(Struct):
    """The score of the last message."""

    score: float
    is_score_valid: bool
    reason: str
    metrics: dict[str, MetricResult]
    step_outputs: None
    error: None


@dialect.post(
    "/reward",
    "/evaluate",
    body=EvaluateRequest,
    answer=Evaluated,
    example={"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]},
)
async def evaluate(request: DialectRequest, body: EvaluateRequest) -> Any:
    """The score of the last message; its components, and how rules judged, as metrics."""
    sample = split_answered(body.messages, "messages")
    sample.reference = _read_reference(body.ground_truth, body.messages)
    sample.metadata = write_metadata(body.kwargs)
    scores = await request.score([sample], body.reward, body.model)
    return {
        "score": scores.numbers()[0],
        "is_score_valid": True,
        "reason": f"scored by {scores.plan.name}",
        "metrics": _component_metrics(scores),
        "step_outputs": None,
        "error": None,
    }


def _component_metrics(scores: Scores) -> dict[str, Any]:
    told = ((scores.component_row(0), "component of the reward"), (scores.verdict_row(0), "how it was judged"))
    return {
        name: {"score": value, "is_score_valid": True, "reason": reason}
        for row, reason in told
        for name, value in row.items()
    }


def _read_reference(value: Any, messages: list[Any]) -> Label | None:
    """The reference: a text, or the last of several messages.

    A client that was given none sends the conversation before the last message in its place, or an empty list.
    """
    if isinstance(value, list) and value == messages[:-1]:
        return None
    if isinstance(value, list) and value and all(isinstance(item, dict) and "content" in item for item in value):
        value = value[-1]["content"]
    return read_label(value)
