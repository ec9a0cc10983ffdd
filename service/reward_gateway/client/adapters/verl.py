"""verl.

    reward.custom_reward_function.path=pkg://reward_gateway.client.adapters.verl
    reward.custom_reward_function.name=compute_score              # compute_scores for the legacy batch manager
    +reward.custom_reward_function.reward_kwargs.url=http://HOST:8080
    +reward.custom_reward_function.reward_kwargs.reward=RECIPE    # optional; timeout_s, api_key, run, jobs likewise

(Releases before ``reward.`` take the same keys as ``custom_reward_function.*``.) The answer is a dict: ``score``, and
the recipe's components by their names, the same keys and only numbers for every sample, so that validation averages
them and the ``gdpo`` manager can normalise each.

**The prompt.** verl's managers hand over ``extra_info`` of the dataset's row, not the prompt. Put what was asked there,
as ``raw_prompt``, ``prompt``, ``question``, ``problem`` or ``query`` (a text, or chat messages), when the dataset is
made; a manager that hands it over as an argument of one of these names works too. Without it, a recipe that reads the
prompt refuses the sample (``missing_field``); rules that read none (``math``) do without. Samples arrive one by one: a
recipe that compares a group (``grpo``) needs ``group: {cohort: {size: N}}``, N being ``rollout.n``; or, as verl
normalises by itself, ``group: {answer: combined}``, the reward before the comparison.

**Mixed data.** The row's ``data_source`` is the sample's ``metadata.data_source``, by which a recipe may choose the
scorer: ``score: {by: metadata.data_source, cases: {openai/gsm8k: {score: numeric_match}, …}}``. What ``extra_info``
says in short texts and numbers (``split``, ``index``) is there by its names, too.

A sample without a score raises: the managers ``naive`` and ``dapo`` stop the run. ``rate_limited`` makes 0.0 of any
exception by itself; do not use it where a false zero hurts. Calls wait for a service that is away up to ``timeout_s``.

**Steps.** With ``run``, the gateway keeps the history of the run by verl's own steps (``GET
/v1/runs/NAME?bucket=step``): verl puts the version of the policy's weights into ``extra_info`` (``max_global_steps``),
and a sample belongs to the step after it.

**Slow judges.** With ``reward_kwargs.jobs=true``, or ``REWARD_GATEWAY_JOBS=1``, samples are scored by jobs: each comes
back as soon as it is scored, nothing is held meanwhile, and a gateway that restarts goes on with them. ``timeout_s`` is
then what the slowest sample may take.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reward_gateway.client import SampleScore
from reward_gateway.client.adapters.rows import find_prompt, make_sample
from reward_gateway.client.adapters.service import Service, require_number


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any = None,
    extra_info: Mapping[str, Any] | None = None,
    *,
    url: str | None = None,
    reward: str | None = None,
    api_key: str | None = None,
    timeout_s: float | None = None,
    run: str | None = None,
    jobs: bool | None = None,
    **more: Any,
) -> dict[str, float]:
    """One sample; calls of the same moment travel in one request, or are one job."""
    service = Service.of(url, reward, api_key, timeout_s, run=run, rendered=True, jobs=jobs)
    sample = _read_sample(data_source, solution_str, ground_truth, extra_info, more)
    return _to_numbers(await service.score_one(sample, find_step(extra_info)))


def compute_scores(
    data_sources: Sequence[str],
    solution_strs: Sequence[str],
    ground_truths: Sequence[Any],
    extra_infos: Sequence[Mapping[str, Any] | None],
    *,
    url: str | None = None,
    reward: str | None = None,
    api_key: str | None = None,
    timeout_s: float | None = None,
    run: str | None = None,
    jobs: bool | None = None,
    **ignored: Any,
) -> list[dict[str, float]]:
    """A batch, in as few requests as it fits in."""
    rows = zip(data_sources, solution_strs, ground_truths, extra_infos, strict=True)
    service = Service.of(url, reward, api_key, timeout_s, run=run, rendered=True, jobs=jobs)
    scored = service.score([_read_sample(*row) for row in rows])
    return [_to_numbers(one) for one in scored]


def find_step(fields: Mapping[str, Any] | None) -> int | None:
    """The step to which a rollout belongs: verl counts its policy's updates, of which the first step has had none.

    Args:
        fields: what verl keeps of the rollout, in ``tool_extra_fields`` and from there in ``extra_info``.
    """
    done = (fields or {}).get("max_global_steps")
    return int(done) + 1 if isinstance(done, int | np.integer) and done >= 0 else None


def _read_sample(source: str, response: str, reference: Any, *rows: Mapping[str, Any] | None) -> dict[str, Any]:
    return make_sample(find_prompt(*rows), response, reference, rows=[{"data_source": source}, *rows[:1]])


def _to_numbers(one: SampleScore) -> dict[str, float]:
    return {**one.components, "score": require_number(one)}
