"""Reference rewards: rewards of a base policy's answers to a prompt, stored for recipes that compare with them.

They are given as numbers, or as answers that the service scores itself. They are stored per model version, so that a
new version starts without references rather than with those of another.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from reward_gateway.backends.port import ModelInfo
from reward_gateway.errors import InvalidRequest, ModelUnavailable
from reward_gateway.gateway import Gateway
from reward_gateway.intake.recipe_name import learn_models
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
    """Store reference rewards of a model, or of the models that a recipe uses, each of the numbers that it uses apart.

    Args:
        rewards: group of a prompt -> reward of each reference answer; only if ``name`` means one number.
        batch: reference answers that are to be scored, by the group of their prompt.
        replace: delete the groups' earlier references.
        scope: the caller, and the idempotency key of the request.

    Returns:
        ``{"stored": {model: {"version", "groups", "rewards"}}, "invalid": n}``; ``model:label`` for a model that
        gives several numbers.

    Raises:
        NotFound: the reward or model does not exist.
        PermissionDenied: the caller may not use it.
        InvalidRequest: rewards were given for a recipe of several numbers.
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
    numbers = await _find_numbers(gateway, name)
    if rewards and len(numbers) != 1:
        message = (
            f"this name stands for {len(numbers)} numbers of models: send rewards for one, by the name of its model "
            "(MODEL:LABEL for one of several numbers of a model), or send samples"
        )
        raise InvalidRequest(message, param="references")
    stored: dict[str, Any] = {}
    unscored = 0
    writes = StateWrites(scope.space)
    answers = {}
    if batch is not None:
        _refuse_missing_context(batch, [number.info for number in numbers])
        models = list(dict.fromkeys(number.model for number in numbers))
        answers = await gateway.runtime.fetch_raw_scores(models, batch, RequestContext(scope=scope))
        server_faults = [
            reason for scores, _ in answers.values() for reason in scores.invalid.values() if reason.server_caused
        ]
        if server_faults:  # all or nothing: a retry would store again what is stored now
            raise ModelUnavailable(f"no references were stored: {server_faults[0].message}", param="samples")
    for number in numbers:
        collected: dict[str, list[float]] = {group: list(values) for group, values in rewards.items()}
        if batch is not None:
            column = answers[number.model][0].values[:, number.place]
            unscored += int(np.count_nonzero(np.isnan(column)))
            for group, value in zip(batch.groups(), column.tolist(), strict=True):
                if value == value:
                    collected.setdefault(group, []).append(value)
        writes.add_references(number.address, collected, replace=replace)
        count = sum(map(len, collected.values()))
        stored[number.name] = {"version": number.info.version, "groups": len(collected), "rewards": count}
    answer = {"stored": stored, "invalid": unscored}
    await gateway.runtime.commit(writes, attempt, encode_results(answer))
    return answer


class _Number(NamedTuple):
    """One number that a model gives.

    Attributes:
        model: its name, as recipes write it.
        place: which of the model's numbers it is, from 0.
    """

    model: str
    info: ModelInfo
    place: int

    @property
    def name(self) -> str:
        """The model's name, with the number's behind it if it gives several."""
        several = len(self.info.dimensions) > 1
        return f"{self.info.name}:{self.info.dimensions[self.place]}" if several else self.info.name

    @property
    def address(self) -> str:
        """Where recipes look for the references of this number."""
        dimension = self.info.dimensions[self.place] if self.place else None
        return references_address(self.info.name, self.info.version, dimension)


async def _find_numbers(gateway: Gateway, name: str) -> list[_Number]:
    """The numbers of models that a recipe, or the name of a model, stands for. Raises NotFound, ModelUnavailable."""
    gateway.check_use(name)
    await learn_models(gateway, name)
    plan = gateway.find_plan(name)
    used: dict[tuple[str, str | None], None] = {(gateway.book.resolve_alias(name), None): None}
    if plan is not None:
        used = dict.fromkeys((c.model, c.dimension) for c in plan.components if c.model is not None)
    numbers: list[_Number] = []
    for model, dimension in used:
        info = await gateway.runtime.models.info(model)
        places = range(max(1, len(info.dimensions)))
        if dimension is not None and dimension in info.dimensions:
            places = range(k := info.dimensions.index(dimension), k + 1)
        numbers += [_Number(model, info, place) for place in places]
    return numbers


def _refuse_missing_context(batch: Batch, models: Sequence[ModelInfo]) -> None:
    """Fail the samples without a prompt that a model reads, or without anything that says whose references they are."""
    if any("prompt" in expand_messages(model.inputs) for model in models):
        batch.invalid.update(dict.fromkeys(batch.without_prompt, NO_PROMPT))
    batch.invalid.update(dict.fromkeys(batch.without_group(), NO_GROUP))
