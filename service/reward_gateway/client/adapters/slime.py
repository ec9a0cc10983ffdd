"""slime and miles, where a whole group should travel in one request (else ``--rm-url`` alone is enough).

    export REWARD_GATEWAY_URL=http://HOST:8080 REWARD_GATEWAY_REWARD=RECIPE
    --custom-rm-path reward_gateway.client.adapters.slime.reward [--group-rm]

With ``--group-rm`` the samples of a group arrive as one list and are compared with each other by recipes that do so.
``--reward-key KEY`` gives an object: the reward under KEY, the components beside it. A sample without a score raises,
and so does a service that stays away longer than ``REWARD_GATEWAY_TIMEOUT_S`` (120): slime stops.

A prompt that ``--apply-chat-template`` has rendered, and a response with the marks of its tokens, are read back into
messages by the service (guides/chat_text.md).

What a row's metadata (``--metadata-key``) say in short texts and numbers is the sample's metadata, by which a recipe
may choose the scorer, as slime does: ``score: {by: metadata.rm_type, cases: …}``. ``--rm-url`` alone sends none of it.

Without ``--group-rm`` samples arrive one by one: a recipe that compares a group (``grpo``) then needs
``group: {cohort: {size: N}}``, N being the samples per prompt, or ``group: {answer: combined}``.
"""

from typing import Any

from reward_gateway.client import SampleScore
from reward_gateway.client.adapters.rows import make_sample
from reward_gateway.client.adapters.service import Service, require_number

Reward = float | dict[str, float]


async def reward(args: Any, samples: Any, **ignored: Any) -> Reward | list[Reward]:
    """The reward of a sample, or those of a list of samples in one request."""
    service = Service.of(rendered=True)
    if isinstance(samples, list):
        return [_to_reward(args, one) for one in await service.score_soon([_read_sample(one) for one in samples])]
    return _to_reward(args, await service.score_one(_read_sample(samples)))


def _read_sample(one: Any) -> dict[str, Any]:
    group = getattr(one, "group_index", None)
    return make_sample(
        one.prompt,
        one.response,
        one.label,
        group=None if group is None else f"group-{group}",
        rows=[getattr(one, "metadata", None)],
    )


def _to_reward(args: Any, one: SampleScore) -> Reward:
    keys = [key for name in ("reward_key", "eval_reward_key") if (key := getattr(args, name, None))]
    value = require_number(one)
    return {**one.components, **dict.fromkeys(keys, value)} if keys else value
