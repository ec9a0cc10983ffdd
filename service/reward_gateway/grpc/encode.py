"""Encodes a scored batch as messages. A missing number is absent, never NaN."""

from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np

from reward_gateway.operations.apply import jsonable
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.sample import ComponentScores, FloatArray, Invalid, Scored

from .values import list_value, struct

_NOT_FINITE = Invalid("not_finite", "the reward is not a finite number")


def response(ids: Sequence[str], scored: Scored, explain: bool) -> pb.ScoreResponse:
    """The answer of one request."""
    usage, timing = scored.usage, scored.timing_ms
    return pb.ScoreResponse(
        reward=scored.recipe,
        recipe_version=scored.version,
        results=results(ids, scored, explain),
        usage=pb.Usage(
            samples=usage.samples,
            cache_hits=usage.cache_hits,
            cache_misses=usage.cache_misses,
            model_calls=usage.model_calls,
        ),
        answer=None if scored.reward_raw is None else scored.answer,
        timing_ms=pb.Timing(**{name: timing.get(name, 0.0) for name in pb.Timing.DESCRIPTOR.fields_by_name}),
    )


def results(ids: Sequence[str], scored: Scored, explain: bool) -> list[pb.Result]:
    """One result per sample, in order."""
    columns = [(name, _encode_components(scores)) for name, scores in scored.components.items()] if explain else []
    rewards = _finite_or_none(scored.reward)
    vectors = scored.rewards or repeat(None)
    raw_rewards = repeat(None) if scored.reward_raw is None else _finite_or_none(scored.reward_raw)
    messages: list[pb.Result] = []
    for i, (name, reward, vector, raw) in enumerate(zip(ids, rewards, vectors, raw_rewards, strict=False)):
        reason = scored.invalid.get(i) or (_NOT_FINITE if reward is None and vector is None else None)
        result = pb.Result(
            id=name,
            reward=reward,
            reward_raw=raw,
            valid=reason is None,
            components={component: column[i] for component, column in columns},
            flags=scored.flags.get(i),
        )
        if vector is not None:
            result.rewards.CopyFrom(list_value(jsonable(vector)))
        if reason is not None:
            result.error.CopyFrom(sample_error(reason))
        messages.append(result)
    return messages


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


def _encode_components(scores: ComponentScores) -> list[pb.Component]:
    raw, value = _finite_or_none(scores.raw), _finite_or_none(scores.value)
    cached = [False] * len(raw) if scores.cached is None else scores.cached.tolist()
    messages = [
        pb.Component(raw=r, value=v, model=scores.model, model_version=scores.model_version, cached=hit)
        for r, v, hit in zip(raw, value, cached, strict=True)
    ]
    for component, words in zip(messages, scores.judge_answers or (), strict=False):
        if words is not None:
            component.judge_answer.CopyFrom(list_value(words if isinstance(words, list) else [words]))
    for component, vector in zip(messages, scores.vectors or (), strict=False):
        if vector is not None:
            component.vector.CopyFrom(list_value(jsonable(vector)))
    return messages


def _finite_or_none(column: FloatArray) -> list[float | None]:
    """A column with None where a number is not finite."""
    numbers: list[float | None] = column.tolist()
    for i in np.flatnonzero(~np.isfinite(column)).tolist():
        numbers[i] = None
    return numbers
