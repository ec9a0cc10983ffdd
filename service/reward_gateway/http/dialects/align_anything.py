"""align-anything's remote reward model, which posts a batch to whichever URL it is given.

On ``/get_reward`` its ``responses`` tell it from OpenRLHF. One sample that cannot be scored fails the request, which
align-anything repeats twice before it raises.
"""

from typing import Any

from msgspec import Struct

from reward_gateway.errors import InvalidRequest
from reward_gateway.sample.fields import SampleItem

from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest
from .texts import text_or_messages

dialect = Dialect(
    Policy(
        name="align_anything",
        title="align-anything",
        clients=("align-anything",),
        prefix="align_anything",
        deadline_s=90.0,
    )
)
router = dialect.router


class RewardRequest(Struct):
    """Prompts and their responses, one for one."""

    prompts: list[Any]
    responses: list[str]


class Rewards(Struct):
    """One reward per response."""

    rewards: list[float]


EXAMPLE = {"prompts": ["Is water wet?"], "responses": ["Yes."]}


@dialect.post("", body=RewardRequest, answer=Rewards, bare=False, example=EXAMPLE)
@dialect.post(
    "/get_reward",
    body=RewardRequest,
    answer=Rewards,
    keys=(("prompts", "responses"),),
    example=EXAMPLE,
)
async def get_reward(request: DialectRequest, body: RewardRequest) -> Any:
    """The rewards of a batch, in order. No field of the body chooses the recipe."""
    n = len(body.responses)
    if len(body.prompts) != n:
        raise InvalidRequest(f"prompts: {len(body.prompts)} entries for {n} responses", param="prompts")
    if n == 0:
        request.plan()
        return {"rewards": []}
    prompts = [text_or_messages(prompt, f"prompts[{i}]") for i, prompt in enumerate(body.prompts)]
    samples = [SampleItem(prompt=p, response=r) for p, r in zip(prompts, body.responses, strict=True)]
    return {"rewards": (await request.score(samples)).numbers()}
