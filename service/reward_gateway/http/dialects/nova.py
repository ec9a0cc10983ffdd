"""The reward Lambda of Amazon Nova and Bedrock reinforcement fine-tuning: ``POST /nova``, a list of rows.

AWS calls a Lambda function, and the Lambda passes its event on to this path (``guides/nova.md`` has it whole). One row
that cannot be scored fails the request, and with it the Lambda: AWS has no mark for a row without a reward.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from reward_gateway.sample.fields import SampleItem
from reward_gateway.sample.labels import read_label

from .dialect import Dialect
from .policy import Policy
from .references import pick_reference
from .request import DialectRequest
from .row_metadata import write_metadata
from .texts import split_answered

dialect = Dialect(
    Policy(
        name="nova",
        title="Amazon Nova and Bedrock reinforcement fine-tuning",
        clients=("Amazon Nova", "Amazon Bedrock"),
        prefix="nova",
        deadline_s=110.0,
    )
)
router = dialect.router


class NovaRow(Struct):
    """A row of the data set with the conversation that the policy ended. Further keys of the row are metadata."""

    id: Any
    messages: list[Any]
    reference_answer: Any = None
    metadata: dict[str, Any] | None = None


class Metric(Struct):
    """One component of the reward, or how a rule judged (1 or 0)."""

    name: str
    value: float
    type: Literal["Metric", "Reward"]


class NovaReward(Struct):
    """The reward of one row."""

    id: Any
    aggregate_reward_score: float
    metrics_list: list[Metric] | UnsetType = UNSET


@dialect.post(
    "",
    body=list[NovaRow],
    answer=list[NovaReward],
    bare=False,
    example=[
        {
            "id": "1",
            "messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}],
            "reference_answer": {"answer": "4"},
        }
    ],
)
async def nova(request: DialectRequest, body: list[NovaRow]) -> Any:
    """The reward of every row, in order. No field of the rows chooses the recipe."""
    plan = request.plan()
    reads_reference, rows = "reference" in plan.inputs, await request.read_rows(plan) or [{}] * len(body)
    samples = [
        _read_row(row, f"[{i}]", reads_reference, whole) for i, (row, whole) in enumerate(zip(body, rows, strict=True))
    ]
    if not samples:
        return []
    scores = await request.score(samples)
    components, verdicts = scores.components, scores.verdicts
    return [
        {
            "id": row.id,
            "aggregate_reward_score": reward,
            "metrics_list": [
                *({"name": name, "value": column[i], "type": "Reward"} for name, column in components.items()),
                *({"name": name, "value": column[i], "type": "Metric"} for name, column in verdicts.items()),
            ],
        }
        for i, (row, reward) in enumerate(zip(body, scores.numbers(), strict=True))
    ]


def _read_row(row: NovaRow, param: str, reads_reference: bool, whole: dict[str, Any]) -> SampleItem:
    sample = split_answered(row.messages, f"{param}.messages")
    where, reference = f"{param}.reference_answer", row.reference_answer
    if reference is None:
        where, reference = f"{param}.metadata.reference_answer", (row.metadata or {}).get("reference_answer")
    if isinstance(reference, dict):
        sample.reference = pick_reference(reference, where, needed=reads_reference)
    else:
        sample.reference = read_label(reference)
    sample.metadata = write_metadata(row.metadata, whole, without=("id", "reference_answer"))
    return sample
