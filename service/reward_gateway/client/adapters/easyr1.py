"""EasyR1 (a verl fork).

    FILE=$(python -c 'import reward_gateway.client.adapters.easyr1 as m; print(m.__file__)')
    worker.reward.reward_function=$FILE:compute_score
    worker.reward.reward_function_kwargs='{"url": "http://HOST:8080", "reward": "RECIPE"}'

(Older releases also need ``worker.reward.reward_type=batch``, which newer ones do not know: they read it of this
module.)
``overall`` is the reward, the recipe's components stand beside it. A sample without a score raises, and so does a
service that stays away longer than ``timeout_s`` (120): the run stops.

**The prompt.** EasyR1 hands over the response and the row's answer (``data.answer_key``), not the prompt. Make that
column a mapping, ``{"prompt": …, "answer": …}``, to send both; forks that put ``prompt``, ``problem`` or ``question``
into the input of a reward function work as they are. Without it, a recipe that reads the prompt refuses the sample
(``missing_field``). EasyR1 normalises by itself: give a recipe that compares a group ``group: {answer: combined}``.

**Mixed data.** What the mapping and the input say beside these in short texts and numbers is the sample's metadata, by
which a recipe may choose the scorer: ``{"prompt": …, "answer": …, "task": "math"}``, ``score: {by: metadata.task, …}``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reward_gateway.client.adapters.rows import REFERENCES, find_prompt, make_sample
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
    service = Service.of(url, reward, api_key, timeout_s, run=run, rendered=True)
    scored = service.score([_read_sample(row) for row in reward_inputs])
    return [{**one.components, "overall": require_number(one)} for one in scored]


def _read_sample(row: Mapping[str, Any]) -> dict[str, Any]:
    truth = given = row.get("ground_truth")
    prompt = find_prompt(row, truth)
    if isinstance(truth, Mapping) and find_prompt(truth) is not None:
        truth = next((truth[name] for name in REFERENCES if truth.get(name) is not None), None)
    return make_sample(prompt, row["response"], truth, rows=[row, given])
