"""ms-swift.

    export REWARD_GATEWAY_URL=http://HOST:8080
    swift rlhf --rlhf_type grpo … --reward_funcs reward_gateway --external_plugins \
      $(python -c 'import reward_gateway.client.adapters.ms_swift as m; print(m.__path__[0])')/plugin.py

``reward_gateway`` is the recipe of ``REWARD_GATEWAY_REWARD``, else the service's default. Several at once:
``export REWARD_GATEWAY_REWARDS=helpful,brevity`` and ``--reward_funcs helpful brevity``.

A sample without a score is None, which ms-swift leaves out; so is the whole batch after ``REWARD_GATEWAY_TIMEOUT_S``
(120) without the service. What is wrong with the call itself raises.
"""

import os
from collections.abc import Sequence
from typing import Any

try:
    from swift.rewards import AsyncORM, orms
except ModuleNotFoundError as missing:
    if missing.name != "swift.rewards":
        raise
    from swift.plugin import AsyncORM, orms  # ms-swift 3

from reward_gateway.client.adapters.trl import make_reward


class RewardGateway(AsyncORM):  # type: ignore[misc]
    """The rewards of one recipe."""

    recipe: str | None = None

    async def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float | None]:
        conversations = columns.pop("messages", None) or [None] * len(completions)
        return await make_reward(self.recipe)([_strip_answer(turns) for turns in conversations], completions, **columns)


def _strip_answer(turns: Sequence[Any] | None) -> Sequence[Any] | None:
    """A conversation without the answer at its end."""
    return turns[:-1] if turns is not None and len(turns) and turns[-1]["role"] == "assistant" else turns


orms["reward_gateway"] = RewardGateway
for _name in filter(None, os.environ.get("REWARD_GATEWAY_REWARDS", "").split(",")):
    orms[_name.strip()] = type(_name.strip(), (RewardGateway,), {"recipe": _name.strip()})
