"""LLaMA-Factory's reward API: ``reward_model_type: api``, ``reward_model: http://HOST:8080/v1/score/evaluation``.

Its client reads only ``scores``. Error bodies do not have that key, so the client stops instead of training on them.
"""

from typing import Any

from msgspec import Struct

from reward_gateway.errors import EmptyInput
from reward_gateway.intake.chat_text import TextSample

from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest

dialect = Dialect(
    Policy(
        name="llama_factory",
        title="LLaMA-Factory",
        clients=("LLaMA-Factory",),
        prefix="llama_factory",
    )
)
router = dialect.router


class ScoreEvaluation(Struct):
    """Texts, each a prompt and its response in one."""

    messages: list[str]
    model: str | None = None
    reward: str | None = None


class Evaluation(Struct):
    """A number per text."""

    id: str
    object: str
    model: str
    scores: list[float]


@dialect.post(
    "/v1/score/evaluation",
    body=ScoreEvaluation,
    answer=Evaluation,
    example={"model": "model", "messages": ["Is water wet? Yes."]},
)
async def score_evaluation(request: DialectRequest, body: ScoreEvaluation) -> Any:
    """One reward per text, in order."""
    if not body.messages:
        raise EmptyInput("messages: there is no text to score", param="messages")
    scores = await request.score([TextSample(response=text) for text in body.messages], body.reward, body.model)
    return {
        "id": f"scoreval-{request.id}",
        "object": "score.evaluation",
        "model": scores.plan.name,
        "scores": scores.numbers(),
    }
