"""EasyR1 (a verl fork).

    FILE=$(python -c 'import reward_gateway.client.adapters.easyr1 as m; print(m.__file__)')
    worker.reward.reward_function=$FILE:compute_score
    worker.reward.reward_function_kwargs='{"url": "http://HOST:8080", "reward": "RECIPE"}'

(Older releases also need ``worker.reward.reward_type=batch``, which newer ones do not know: they read it of this
module.) ``overall`` is the reward, the recipe's components stand beside it. EasyR1 does not hand the prompt over. A
sample without a score raises, and so does a service that stays away longer than ``timeout_s`` (120): the run stops.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reward_gateway.client.adapters.rows import make_sample
from reward_gateway.client.adapters.service import Service, require_number

REWARD_NAME = "reward_gateway"
REWARD_TYPE = "batch"


def compute_score(
    reward_inputs: Sequence[Mapping[str, Any]],
    *,
    url: str | None = None,
    reward: str | None = None,
    api_key: str | None = None,
    timeout_s: float | None = None,
    run: str | None = None,
    **ignored: Any,
) -> list[dict[str, float]]:
    """A batch in one request; each input has ``response`` and, where the recipe needs it, ``ground_truth``."""
    rows = [make_sample(row.get("prompt"), row["response"], row.get("ground_truth")) for row in reward_inputs]
    scored = Service.of(url, reward, api_key, timeout_s, run=run).score(rows)
    return [{**one.components, "overall": require_number(one)} for one in scored]
