"""Encodes a scored batch as messages. A missing number is absent, never NaN."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reward_gateway.operations.apply import jsonable
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.sample import ComponentScores, FloatArray, Invalid, Scored, all_finite

from .values import list_value, struct

_STAGES = tuple(pb.Timing.DESCRIPTOR.fields_by_name)
_NOT_FINITE = Invalid("not_finite", "the reward is not a finite number")


def response(ids: Sequence[str], scored: Scored, explain: bool) -> pb.ScoreResponse:
    """The answer of one request."""
    usage, spent = scored.usage, scored.timing_ms.get
    message = pb.ScoreResponse(reward=scored.recipe, recipe_version=scored.version)
    write_results(message.results.add, ids, scored, explain)
    message.usage.samples = usage.samples
    message.usage.cache_hits = usage.cache_hits
    message.usage.cache_misses = usage.cache_misses
    message.usage.model_calls = usage.model_calls
    if scored.reward_raw is not None:
        message.answer = scored.answer
    timing = message.timing_ms
    for stage in _STAGES:
        setattr(timing, stage, spent(stage, 0.0))
    return message


def write_results(add: Callable[[], pb.Result], ids: Sequence[str], scored: Scored, explain: bool) -> None:
    """Write one result per sample, in order.

    Messages are filled where they belong, since one that is built first is copied into the next.

    Args:
        add: makes the empty message of the next result.
    """
    columns = [(name, *_columns_of(scores)) for name, scores in scored.components.items()] if explain else []
    rewards = _finite_or_none(scored.reward)
    raw_rewards = None if scored.reward_raw is None else _finite_or_none(scored.reward_raw)
    for i, name in enumerate(ids):
        reward, vector = rewards[i], scored.rewards[i] if scored.rewards else None
        result = add()
        result.id = name
        if reward is not None:
            result.reward = reward
        if raw_rewards is not None and (raw := raw_rewards[i]) is not None:
            result.reward_raw = raw
        for component, scores, raws, values, cached in columns:
            _write_component(
                result.components[component], i, scores, raws[i], values[i], cached is not None and cached[i]
            )
        if i in scored.flags:
            result.flags.extend(scored.flags[i])
        if vector is not None:
            result.rewards.CopyFrom(list_value(jsonable(vector)))
        reason = scored.invalid.get(i) or (_NOT_FINITE if reward is None and vector is None else None)
        if reason is None:
            result.valid = True
        else:
            result.error.CopyFrom(sample_error(reason))


def sample_error(reason: Invalid) -> pb.Error:
    """Why a sample has no score."""
    return pb.Error(code=reason.code, message=reason.message, component=reason.component, param=reason.param)


def apply_result(result: dict[str, Any]) -> pb.ApplyResult:
    """One item's answer."""
    message = pb.ApplyResult(reward=result.get("reward"))
    if result.get("rewards") is not None:
        message.rewards.CopyFrom(list_value(result["rewards"]))
    if result.get("details"):
        message.details.CopyFrom(struct(result["details"]))
    if result.get("error") is not None:
        message.error.CopyFrom(pb.Error(**result["error"]))
    return message


_Columns = tuple[ComponentScores, list[float | None], list[float | None], list[bool] | None]


def _columns_of(scores: ComponentScores) -> _Columns:
    """A component with its numbers as lists: raw, value, and whether each came from the cache."""
    raws = _finite_or_none(scores.raw)
    values = raws if scores.value is scores.raw else _finite_or_none(scores.value)
    return scores, raws, values, None if scores.cached is None else scores.cached.tolist()


def _write_component(
    message: pb.Component, i: int, scores: ComponentScores, raw: float | None, value: float | None, cached: bool
) -> None:
    if raw is not None:
        message.raw = raw
    if value is not None:
        message.value = value
    if scores.model is not None:
        message.model = scores.model
    if scores.model_version is not None:
        message.model_version = scores.model_version
    if cached:
        message.cached = True
    if scores.judge_answers is not None and (words := scores.judge_answers[i]) is not None:
        message.judge_answer.CopyFrom(list_value(words if isinstance(words, list) else [words]))
    if scores.vectors is not None and (vector := scores.vectors[i]) is not None:
        message.vector.CopyFrom(list_value(jsonable(vector)))


def _finite_or_none(column: FloatArray) -> list[float | None]:
    """A column with None where a number is not finite."""
    numbers: list[float | None] = column.tolist()
    if all_finite(column):
        return numbers
    for i in np.flatnonzero(~np.isfinite(column)).tolist():
        numbers[i] = None
    return numbers
