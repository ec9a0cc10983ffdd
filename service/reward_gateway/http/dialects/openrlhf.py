"""OpenRLHF's remote reward model: ``--reward.remote_url http://HOST:8080/get_reward`` (older: ``--remote_rm_url``).

``query`` is prompt and response in one text; the response is the text after the prompt, even if the trainer's tokeniser
has cut the prompt on the left there. One sample that cannot be
scored fails the request, and the trainer retries it: a placeholder number would be trained on.
"""

from typing import Any

from msgspec import Struct

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.chat_text import Holds, TextSample
from reward_gateway.sample.labels import read_label

from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest
from .texts import text_or_messages

dialect = Dialect(
    Policy(
        name="openrlhf",
        title="OpenRLHF",
        clients=("OpenRLHF and its forks",),
        prefix="openrlhf",
        deadline_s=150.0,
        score="both",
    )
)
router = dialect.router


class GetReward(Struct):
    """A shard of a batch, or one sample in lists of length one."""

    query: list[str]
    prompts: list[Any] | None = None
    labels: list[Any] | None = None
    reward: str | None = None
    model: str | None = None


class ShardRewards(Struct):
    """One number per sample, as the recipe gives it and in [0, 1]; a list per component and per verdict of a rule."""

    rewards: list[float]
    scores: list[float]
    extra_logs: dict[str, list[float | None]]


@dialect.post(
    "/get_reward",
    body=GetReward,
    answer=ShardRewards,
    example={"query": ["Is water wet? Yes."], "prompts": ["Is water wet?"], "labels": [None]},
    keys=(("query",),),
)
async def get_reward(request: DialectRequest, body: GetReward) -> Any:
    """Rewards of a shard.

    `rewards` are as the recipe gives them, `scores` the same in [0, 1], `extra_logs` a list per component, and per
    verdict of a rule (`correct/unfinished_reasoning`, 1 or 0). Empty lists are answered with empty lists.
    """
    n = len(body.query)
    for name, column in (("prompts", body.prompts), ("labels", body.labels)):
        if column is not None and len(column) != n:
            raise InvalidRequest(f"{name}: {len(column)} entries for {n} queries", param=name)
    labels = body.labels or [None] * n
    if n == 0:
        request.plan(body.reward, body.model)
        return {"rewards": [], "scores": [], "extra_logs": {}}
    holds: Holds = "conversation" if body.prompts is None else "query"
    prompts = [None if body.prompts is None else text_or_messages(body.prompts[i], f"prompts[{i}]") for i in range(n)]
    samples = [
        TextSample(prompt=prompt, response=query, reference=read_label(label), holds=holds)
        for query, prompt, label in zip(body.query, prompts, labels, strict=True)
    ]
    scores = await request.score(samples, body.reward, body.model)
    return {"rewards": scores.raw, "scores": scores.unit, "extra_logs": scores.components | scores.verdicts}
