"""slime's and miles' remote reward model: ``--rm-type remote_rm --rm-url http://HOST:8080/rm``.

The response body is the reward itself: a bare number, or with ``?key=score`` an object for ``--reward-key
score``. A sample that cannot be scored is an error, which slime retries.
"""

from typing import Any

from msgspec import Struct

from reward_gateway.intake.request import SampleItem
from reward_gateway.sample.labels import read_label

from ..openapi import parameter
from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest
from .texts import text_or_messages

dialect = Dialect(
    Policy(
        name="slime",
        title="slime and miles",
        clients=("slime", "miles"),
        prefix="slime",
        deadline_s=110.0,
        one_sample=True,
    )
)
router = dialect.router


class RemoteReward(Struct):
    """One sample."""

    prompt: Any
    response: str
    label: Any = None
    reward: str | None = None
    model: str | None = None


@dialect.post(
    "/rm",
    "/score/slime",
    body=RemoteReward,
    answer=float | dict[str, Any],
    example={"prompt": "What is 2 + 2?", "response": "4", "label": "4"},
    parameters=(parameter("key", "query", "Answer an object with the reward under this key."),),
)
async def rm(request: DialectRequest, body: RemoteReward) -> Any:
    """The reward of one sample, as a bare number."""
    prompt = text_or_messages(body.prompt, "prompt")
    sample = SampleItem(prompt=prompt, response=body.response, reference=read_label(body.label))
    scores = await request.score([sample], body.reward, body.model)
    key = request.find_query("key")
    if not key:
        return scores.numbers()[0]
    return {"components": scores.component_row(0), "verdicts": scores.verdict_row(0), key: scores.numbers()[0]}
