"""A scored batch to the bytes of its answer: columns to rows once, and one pass of the JSON encoder.

Every result has the same keys, every sample of a recipe the same components. NaN, which inside marks a row
without a score, is null on the wire.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from reward_gateway.sample import Batch, ComponentScores, Invalid, Scored, all_finite
from reward_gateway.sample.scores import LARGE_ANSWER

from .plain_rows import FEWEST, are_plain, write_plain_rows

TIMING = b',"timing_ms":'
"""Stands before the last key of a body, whose value is another one each time."""

_NOT_FINITE = Invalid("not_finite", "the reward is not a finite number")


def encode_scored(batch: Batch, scored: Scored, times: Mapping[str, float], *, explain: bool) -> bytes:
    """The body of ``POST /v1/score``; ``times`` are those of :func:`timing`."""
    size = batch.size
    # One call of the encoder holds the interpreter to its end, in whatever thread: large answers are made in pieces,
    # and no more rows are held than those of one piece.
    step = max(1, LARGE_ANSWER * size // scored.count_numbers()) if size > 1 else 1
    invalid = _with_not_finite(scored)
    body: dict[str, Any] = {"reward": scored.recipe, "recipe_version": scored.version}
    if scored.reward_raw is not None:
        body["answer"] = scored.answer
    if size < FEWEST:
        body["results"] = _make_rows(batch, scored, invalid, explain=explain)
    else:
        parts = [range(start, min(start + step, size)) for start in range(0, size, step)]
        plain = not invalid and are_plain(scored)
        pieces = [
            _write_plain(batch, scored, part, explain=explain)
            if plain
            else _dump(_make_rows(batch, scored, invalid, part, explain=explain))[1:-1]
            for part in parts
        ]
        body["results"] = orjson.Fragment(b"[%b]" % b",".join(pieces))
    if scored.groups is not None:
        body["groups"] = scored.groups
    usage = scored.usage
    body["usage"] = {
        "samples": usage.samples,
        "cache_hits": usage.cache_hits,
        "cache_misses": usage.cache_misses,
        "model_calls": usage.model_calls,
        "skipped": usage.skipped,
    }
    return b"%b%b%b}" % (_dump(body)[:-1], TIMING, _dump(times))


def _write_plain(batch: Batch, scored: Scored, part: range, *, explain: bool) -> bytes:
    chosen = None if len(part) == batch.size else slice(part.start, part.stop)
    components = scored.components if explain else {}
    return write_plain_rows(_cut(batch.ids, chosen), _cut(scored.reward, chosen), components, chosen)


def _dump(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def encode_results(results: list[dict[str, Any]]) -> bytes:
    """The body of ``POST /v1/{kind}/{name}``."""
    return orjson.dumps({"results": results}, option=orjson.OPT_SERIALIZE_NUMPY)


def timing(scored: Scored, decode_ms: float, total_ms: float) -> dict[str, float]:
    """Stages of the answer in milliseconds; ``total`` is from the request's arrival to its encoding."""
    return time_stages(scored.timing_ms, decode_ms, total_ms)


def time_stages(spent_ms: Mapping[str, float], decode_ms: float, total_ms: float) -> dict[str, float]:
    """As :func:`timing`, of the milliseconds of each phase."""
    spent = spent_ms.get
    return {
        "total": _to_microseconds(total_ms),
        "decode": _to_microseconds(decode_ms),
        "cache": _to_microseconds(spent("cache", 0.0)),
        "inference": _to_microseconds(spent("inference", 0.0)),
        "combine": _to_microseconds(spent("combine", 0.0)),
    }


def _to_microseconds(milliseconds: float) -> float:
    """Milliseconds with three decimals; ``round`` takes ten times as long, as it is exact."""
    return int(milliseconds * 1000 + 0.5) / 1000


def _make_rows(
    batch: Batch, scored: Scored, invalid: Mapping[int, Invalid], part: range | None = None, *, explain: bool
) -> list[dict[str, Any]]:
    """The results of some samples (None: of all), in their order."""
    chosen = None if part is None else slice(part.start, part.stop)
    part = range(batch.size) if part is None else part
    n = len(part)
    vectors = _cut(scored.rewards, chosen) if scored.rewards is not None else [None] * n
    components = _component_rows(scored.components, chosen, n) if explain else [{}] * n
    rows = [
        {
            "id": name,
            "reward": reward,
            "rewards": vector,
            "valid": True,
            "components": component,
            "flags": (),
            "error": None,
        }
        for name, reward, vector, component in zip(
            _cut(batch.ids, chosen), _cut(scored.reward, chosen).tolist(), vectors, components, strict=True
        )
    ]
    if scored.reward_raw is not None:
        for row, raw in zip(rows, _cut(scored.reward_raw, chosen).tolist(), strict=True):
            row["reward_raw"] = raw
    if scored.versions is not None:
        for i, row in zip(part, rows, strict=True):
            row["recipe_version"] = scored.versions[i]
    if scored.flags:
        for i, row in zip(part, rows, strict=True):
            row["flags"] = scored.flags.get(i, ())
    if invalid:
        for i, row in zip(part, rows, strict=True):
            if (reason := invalid.get(i)) is not None:
                row["valid"], row["error"] = False, _describe(reason)
    return rows


def _cut(column: Any, chosen: slice | None) -> Any:
    return column if chosen is None else column[chosen]


def _describe(reason: Invalid) -> dict[str, Any]:
    return {"code": reason.code, "message": reason.message, "component": reason.component, "param": reason.param}


def _with_not_finite(scored: Scored) -> dict[int, Invalid]:
    """The invalid rows; a reward that is no finite number is one of them, whoever forgot to say so."""
    if scored.rewards is not None or all_finite(scored.reward):
        return scored.invalid
    missed = {int(i): _NOT_FINITE for i in np.flatnonzero(~np.isfinite(scored.reward)) if int(i) not in scored.invalid}
    return {**scored.invalid, **missed}


def _component_rows(components: dict[str, ComponentScores], chosen: slice | None, n: int) -> list[dict[str, Any]]:
    columns = [_component_column(component, chosen, n) for component in components.values()]
    names = list(components)
    if len(names) == 1:
        name = names[0]
        return [{name: entry} for entry in columns[0]]
    if not names:
        return [{}] * n
    return [dict(zip(names, entries, strict=True)) for entries in zip(*columns, strict=True)]


def _component_column(component: ComponentScores, chosen: slice | None, n: int) -> list[dict[str, Any]]:
    model, version = component.model, component.model_version
    raws = _cut(component.raw, chosen).tolist()
    values = raws if component.value is component.raw else _cut(component.value, chosen).tolist()
    cached = [False] * n if component.cached is None else _cut(component.cached, chosen).tolist()
    rows = [
        {"raw": raw, "value": value, "model": model, "model_version": version, "cached": hit, "skipped": None}
        for raw, value, hit in zip(raws, values, cached, strict=True)
    ]
    if component.skipped is not None:
        for row, by in zip(rows, _cut(component.skipped, chosen), strict=True):
            if by is not None:
                row["skipped"], row["model"], row["model_version"] = by, None, None
    if component.models is not None:
        for i, row in zip(range(len(component.raw))[chosen or slice(None)], rows, strict=True):
            row["model"], row["model_version"] = component.origin_of(i)
    if component.vectors is not None:
        for row, vector in zip(rows, _cut(component.vectors, chosen), strict=True):
            row["vector"] = None if vector is None else vector.tolist()
    if component.judge_answers is not None:
        for row, words in zip(rows, _cut(component.judge_answers, chosen), strict=True):
            row["judge_answer"] = words
    if component.limits is not None:
        for row, limit_s in zip(rows, _cut(component.limits, chosen), strict=True):
            if limit_s is not None:
                row["limit_s"] = limit_s
    return rows
