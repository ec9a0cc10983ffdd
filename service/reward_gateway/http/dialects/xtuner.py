"""xtuner V1's judger with a URL as its reward handler: ``POST /xtuner``, one sample.

xtuner neither retries nor marks: a sample that cannot be scored is an HTTP error, which its judger raises. Older
versions send no prompt; newer ones send their whole rollout in ``extra_info``, whose messages are the prompt.
"""

from typing import Any

from msgspec import Struct

from reward_gateway.sample.fields import SampleItem
from reward_gateway.sample.labels import read_label

from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest
from .row_metadata import write_metadata
from .texts import text_or_messages

dialect = Dialect(
    Policy(
        name="xtuner",
        title="xtuner V1",
        clients=("xtuner",),
        prefix="xtuner",
        deadline_s=27.0,
        one_sample=True,
    )
)
router = dialect.router


class Rollout(Struct):
    """The part of xtuner's rollout that holds the prompt."""

    message: Any = None


class ExtraInfo(Struct):
    """xtuner's own fields; a data set's are the sample's metadata."""

    rollout_state: Rollout | None = None


class JudgeRequest(Struct):
    """One sample."""

    response: str
    label: Any = None
    extra_info: ExtraInfo | None = None


class Judgement(Struct):
    """The reward, under the key that xtuner trains on."""

    score: float


@dialect.post(
    "",
    body=JudgeRequest,
    answer=Judgement,
    bare=False,
    example={"response": "#### 4", "label": "4", "extra_info": {}},
)
async def xtuner(request: DialectRequest, body: JudgeRequest) -> Any:
    """The reward of one response. No field of the body chooses the recipe."""
    rollout = body.extra_info.rollout_state if body.extra_info is not None else None
    message = rollout.message if rollout is not None else None
    sample = SampleItem(response=body.response, reference=read_label(body.label))
    if message is not None:
        sample.prompt = text_or_messages(message, "extra_info.rollout_state.message")
    sample.metadata = write_metadata((await request.read_rows(request.plan()) or {}).get("extra_info"))
    scores = await request.score([sample])
    return {"score": scores.numbers()[0]}
