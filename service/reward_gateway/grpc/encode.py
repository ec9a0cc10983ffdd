"""Encodes a scored batch as messages. A missing number is absent, never NaN."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np

from reward_gateway.operations.apply import jsonable
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.sample import ComponentScores, FloatArray, Invalid, Scored

from .plain_results import Template, layout_of, result_field, timing_template, write_result
from .values import list_value, struct

_STAGES = tuple(pb.Timing.DESCRIPTOR.fields_by_name)
_TIMING = timing_template(_STAGES)
_NOT_FINITE = Invalid("not_finite", "the reward is not a finite number")
_KEPT = 1024
"""Parts of answers that are written once."""


def response(ids: Sequence[str], scored: Scored, explain: bool) -> bytes:
    """The answer of one request, without what it took: append :func:`timing`."""
    usage = scored.usage
    tail = _tail(
        None if scored.reward_raw is None else scored.answer,
        usage.samples,
        usage.cache_hits,
        usage.cache_misses,
        usage.model_calls,
        usage.skipped,
    )
    parts = [head(scored.recipe, scored.version), *write_results(ids, scored, explain), tail]
    if scored.groups is not None:
        groups = {name: pb.GroupStats(**asdict(of)) for name, of in scored.groups.items()}
        parts.append(pb.ScoreResponse(groups=groups).SerializeToString())
    return b"".join(parts)


def timing(spent_ms: Mapping[str, float]) -> bytes:
    """What an answer took, by stage, as a field of it."""
    spent = spent_ms.get
    return _TIMING.fill([spent(stage, 0.0) for stage in _STAGES])


@lru_cache(_KEPT)
def _tail(
    answer: str | None, samples: int, cache_hits: int, cache_misses: int, model_calls: int, skipped: int
) -> bytes:
    usage = pb.Usage(
        samples=samples, cache_hits=cache_hits, cache_misses=cache_misses, model_calls=model_calls, skipped=skipped
    )
    return pb.ScoreResponse(answer=answer, usage=usage).SerializeToString()


@lru_cache(_KEPT)
def head(recipe: str, version: str) -> bytes:
    """The fields of an answer before its results, of one request as of a stream."""
    return pb.ScoreResponse(reward=recipe, recipe_version=version).SerializeToString()


def write_results(ids: Sequence[str], scored: Scored, explain: bool) -> list[bytes]:
    """One result per sample, in order, each as a field of an answer."""
    columns = [(name, *_columns_of(scores)) for name, scores in scored.components.items()] if explain else []
    rewards = _finite_or_none(scored.reward)
    raw_rewards = None if scored.reward_raw is None else _finite_or_none(scored.reward_raw)
    if not (scored.flags or scored.invalid or scored.rewards or scored.versions):
        numbers = [rewards] if raw_rewards is None else [rewards, raw_rewards]
        for _, scores, raws, values, _ in columns:
            if scores.differs_by_row:
                break
            numbers += (raws, values)
        else:
            if not any(None in column for column in numbers):
                return _write_plain(ids, columns, numbers, compared=raw_rewards is not None)
    return [
        result_field(_make_result(i, name, scored, columns, rewards[i], raw_rewards).SerializeToString())
        for i, name in enumerate(ids)
    ]


def _write_plain(
    ids: Sequence[str], columns: "Sequence[_Column]", numbers: Sequence[Sequence[Any]], *, compared: bool
) -> list[bytes]:
    """Results that hold numbers and names only."""
    layouts: dict[tuple[bool, ...], Template] = {}
    results = []
    cached = [[False] * len(ids) if column is None else column for *_, column in columns]
    hits_by_row = zip(*cached, strict=True) if cached else repeat((), len(ids))
    for name, hits, row in zip(ids, hits_by_row, zip(*numbers, strict=True), strict=True):
        if (layout := layouts.get(hits)) is None:
            parts = zip(columns, hits, strict=True)
            named = tuple([(part[0], part[1].model, part[1].model_version, hit) for part, hit in parts])
            layout = layouts[hits] = layout_of(named, compared)
        results.append(write_result(name, layout, row))
    return results


def _make_result(
    i: int,
    name: str,
    scored: Scored,
    columns: "Sequence[_Column]",
    reward: float | None,
    raw_rewards: list[float | None] | None,
) -> pb.Result:
    """Messages are filled where they belong, since one that is built first is copied into the next."""
    vector = scored.rewards[i] if scored.rewards else None
    result = pb.Result(id=name, reward=reward, reward_raw=None if raw_rewards is None else raw_rewards[i])
    for component, scores, raws, values, cached in columns:
        _write_component(result.components[component], i, scores, raws[i], values[i], cached is not None and cached[i])
    if scored.versions is not None:
        result.recipe_version = scored.versions[i]
    if i in scored.flags:
        result.flags.extend(scored.flags[i])
    if vector is not None:
        result.rewards.CopyFrom(list_value(jsonable(vector)))
    reason = scored.invalid.get(i) or (_NOT_FINITE if reward is None and vector is None else None)
    if reason is None:
        result.valid = True
    else:
        result.error.CopyFrom(sample_error(reason))
    return result


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


_Column = tuple[str, ComponentScores, list[float | None], list[float | None], list[bool] | None]


def _columns_of(
    scores: ComponentScores,
) -> tuple[ComponentScores, list[float | None], list[float | None], list[bool] | None]:
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
    if scores.skipped is not None and (by := scores.skipped[i]) is not None:
        message.skipped = by
        return
    model, version = scores.origin_of(i)
    if model is not None:
        message.model = model
    if version is not None:
        message.model_version = version
    if cached:
        message.cached = True
    if scores.judge_answers is not None and (words := scores.judge_answers[i]) is not None:
        message.judge_answer.CopyFrom(list_value(words if isinstance(words, list) else [words]))
    if scores.limits is not None and (limit_s := scores.limits[i]) is not None:
        message.limit_s = limit_s
    if scores.vectors is not None and (vector := scores.vectors[i]) is not None:
        message.vector.CopyFrom(list_value(jsonable(vector)))


def _finite_or_none(column: FloatArray) -> list[float | None]:
    """A column with None where a number is not finite."""
    numbers: list[Any] = column.tolist()
    if math.isfinite(sum(numbers)):  # as it is where all are finite, unless they are very large
        return numbers
    for i in np.flatnonzero(~np.isfinite(column)).tolist():
        numbers[i] = None
    return numbers
