"""A scored batch to the bytes of its answer: columns to rows once, and one pass of the JSON encoder.

Every result has the same keys, every sample of a recipe the same components. NaN, which inside marks a row
without a score, is null on the wire.
"""

from typing import Any

import numpy as np
import orjson

from reward_gateway.sample import Batch, ComponentScores, Invalid, Scored
from reward_gateway.sample.scores import LARGE_ANSWER

_NOT_FINITE = Invalid("not_finite", "the reward is not a finite number")


def encode_scored(batch: Batch, scored: Scored, *, explain: bool, decode_ms: float, total_ms: float) -> bytes:
    """The body of ``POST /v1/score``."""
    rows = results(batch, scored, explain=explain)
    # One call of the encoder holds the interpreter to its end, in whatever thread: large answers are made in pieces.
    step = max(1, LARGE_ANSWER * len(rows) // scored.count_numbers()) if len(rows) > 1 else 1
    pieces = [_dump(rows[start : start + step])[1:-1] for start in range(0, len(rows), step)]
    answer = {} if scored.reward_raw is None else {"answer": scored.answer}
    body = {
        "reward": scored.recipe,
        "recipe_version": scored.version,
        **answer,
        "results": orjson.Fragment(b"[%b]" % b",".join(pieces)),
        "usage": scored.usage,
        "timing_ms": timing(scored, decode_ms, total_ms),
    }
    return _dump(body)


def _dump(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def encode_results(results: list[dict[str, Any]]) -> bytes:
    """The body of ``POST /v1/{kind}/{name}``."""
    return orjson.dumps({"results": results}, option=orjson.OPT_SERIALIZE_NUMPY)


def timing(scored: Scored, decode_ms: float, total_ms: float) -> dict[str, float]:
    """Stages of the answer in milliseconds; ``total`` is from the request's arrival to its encoding."""
    stages = {name: round(scored.timing_ms.get(name, 0.0), 3) for name in ("cache", "inference", "combine")}
    return {"total": round(total_ms, 3), "decode": round(decode_ms, 3), **stages}


def results(batch: Batch, scored: Scored, *, explain: bool = True) -> list[dict[str, Any]]:
    """One mapping a sample, in their order."""
    n = batch.size
    invalid = _with_not_finite(scored)
    rewards = scored.reward.tolist()
    vectors = scored.rewards if scored.rewards is not None else [None] * n
    components = _component_rows(scored.components, n) if explain else [{}] * n
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
        for name, reward, vector, component in zip(batch.ids, rewards, vectors, components, strict=True)
    ]
    if scored.reward_raw is not None:
        for row, raw in zip(rows, scored.reward_raw.tolist(), strict=True):
            row["reward_raw"] = raw
    for i, names in scored.flags.items():
        rows[i]["flags"] = names
    for i, reason in invalid.items():
        rows[i]["valid"] = False
        rows[i]["error"] = {
            "code": reason.code,
            "message": reason.message,
            "component": reason.component,
            "param": reason.param,
        }
    return rows


def _with_not_finite(scored: Scored) -> dict[int, Invalid]:
    """The invalid rows; a reward that is no finite number is one of them, whoever forgot to say so."""
    finite = np.isfinite(scored.reward)
    if scored.rewards is not None or finite.all():
        return scored.invalid
    missed = {int(i): _NOT_FINITE for i in np.flatnonzero(~finite) if int(i) not in scored.invalid}
    return {**scored.invalid, **missed}


def _component_rows(components: dict[str, ComponentScores], n: int) -> list[dict[str, Any]]:
    columns = [_component_column(component, n) for component in components.values()]
    names = list(components)
    if len(names) == 1:
        name = names[0]
        return [{name: entry} for entry in columns[0]]
    if not names:
        return [{}] * n
    return [dict(zip(names, entries, strict=True)) for entries in zip(*columns, strict=True)]


def _component_column(component: ComponentScores, n: int) -> list[dict[str, Any]]:
    model, version = component.model, component.model_version
    cached = [False] * n if component.cached is None else component.cached.tolist()
    rows = [
        {"raw": raw, "value": value, "model": model, "model_version": version, "cached": hit}
        for raw, value, hit in zip(component.raw.tolist(), component.value.tolist(), cached, strict=True)
    ]
    if component.vectors is not None:
        for row, vector in zip(rows, component.vectors, strict=True):
            row["vector"] = None if vector is None else vector.tolist()
    if component.judge_answers is not None:
        for row, words in zip(rows, component.judge_answers, strict=True):
            row["judge_answer"] = words
    return rows
