"""Reference rewards: rewards of a base policy's answers to a prompt, stored for recipes that compare with them.

They are given as numbers, or as answers that the service scores itself. They are stored per model version, so that a
new version starts without references rather than with those of another.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from reward_gateway.backends.port import ModelInfo
from reward_gateway.errors import InvalidRequest, ModelUnavailable
from reward_gateway.gateway import Gateway
from reward_gateway.recipes.missing_context import NO_GROUP, NO_PROMPT
from reward_gateway.recipes.reads import expand_messages
from reward_gateway.recipes.stored_references import references_address
from reward_gateway.sample import Batch
from reward_gateway.scoring.attempts import Attempt
from reward_gateway.scoring.body_digest import digest_batch, digest_body
from reward_gateway.scoring.recorded_answers import decode_results, encode_results
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope
from reward_gateway.state.writes import StateWrites


async def put_references(
    gateway: Gateway,
    name: str,
    rewards: Mapping[str, Sequence[float]],
    batch: Batch | None,
    *,
    replace: bool = False,
    scope: RequestScope = NO_SCOPE,
) -> dict[str, Any]:
    """Store reference rewards of a model, or of the models that a recipe uses.

    Args:
        rewards: group of a prompt -> reward of each reference answer; only if ``name`` means one model.
        batch: reference answers that are to be scored, by the group of their prompt.
        replace: delete the groups' earlier references.
        scope: the caller, and the idempotency key of the request.

    Returns:
        ``{"stored": {model: {"version", "groups", "rewards"}}, "invalid": n}``.

    Raises:
        NotFound: the reward or model does not exist.
        InvalidRequest: numbers were given for a recipe of several models.
        ModelUnavailable, StateUnavailable: the model server or the state store is unavailable.
        IdempotencyConflict: the idempotency key was already used with another body.
    """
    store = partial(_store_references, gateway, name, rewards, batch, replace, scope)
    address = scope.make_attempt_address("references", name)
    if address is None:
        return await store()
    body = digest_body([rewards, replace]) if batch is None else digest_batch(batch, rewards, replace)
    return await gateway.runtime.attempts.answer_once(address, body, None, store, decode_results)


async def _store_references(
    gateway: Gateway,
    name: str,
    rewards: Mapping[str, Sequence[float]],
    batch: Batch | None,
    replace: bool,
    scope: RequestScope,
    attempt: Attempt | None = None,
) -> dict[str, Any]:
    recipe = gateway.book.find(name)
    models = recipe.models if recipe is not None else (gateway.book.resolve_alias(name),)
    if rewards and len(models) != 1:
        message = f"this reward uses {len(models)} models: send the numbers for one model by its name, or send samples"
        raise InvalidRequest(message, param="references")
    infos = [await gateway.runtime.models.info(model) for model in models]
    stored: dict[str, Any] = {}
    unscored = 0
    writes = StateWrites(scope.space)
    answers = {}
    if batch is not None:
        _refuse_missing_context(batch, infos)
        answers = await gateway.runtime.fetch_raw_scores(models, batch, RequestContext(scope=scope))
        server_faults = [
            reason for scores, _ in answers.values() for reason in scores.invalid.values() if reason.server_caused
        ]
        if server_faults:  # all or nothing: a retry would store again what is stored now
            raise ModelUnavailable(f"no references were stored: {server_faults[0].message}", param="samples")
    for info in infos:
        collected: dict[str, list[float]] = {group: list(values) for group, values in rewards.items()}
        if batch is not None:
            column = answers[info.name][0].values[:, 0]
            unscored += int(np.count_nonzero(np.isnan(column)))
            for group, value in zip(batch.groups(), column.tolist(), strict=True):
                if value == value:
                    collected.setdefault(group, []).append(value)
        writes.add_references(references_address(info.name, info.version), collected, replace=replace)
        count = sum(map(len, collected.values()))
        stored[info.name] = {"version": info.version, "groups": len(collected), "rewards": count}
    answer = {"stored": stored, "invalid": unscored}
    await gateway.runtime.commit(writes, attempt, encode_results(answer))
    return answer


def _refuse_missing_context(batch: Batch, models: Sequence[ModelInfo]) -> None:
    """Fail the samples without a prompt that a model reads, or without anything that says whose references they are."""
    if any("prompt" in expand_messages(model.inputs) for model in models):
        batch.invalid.update(dict.fromkeys(batch.without_prompt, NO_PROMPT))
    batch.invalid.update(dict.fromkeys(batch.without_group(), NO_GROUP))
