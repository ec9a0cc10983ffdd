"""Answers as they are recorded with an idempotency key, so that a repeat gets the same one."""

import json
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np

from reward_gateway.sample import ComponentScores, FloatArray, Invalid, Scored, Usage


def encode_results(results: Any) -> bytes:
    """JSON-ready results, a lone surrogate in a text included."""
    return json.dumps(results).encode()


def decode_results(record: bytes) -> Any:
    """What :func:`encode_results` was given."""
    return json.loads(record)


def encode_scores(scored: Scored) -> bytes:
    """A scored batch: numbers as packed doubles, the rest as JSON."""
    rest = {
        "recipe": scored.recipe,
        "version": scored.version,
        "rewards": scored.rewards,
        "invalid": {row: asdict(reason) for row, reason in scored.invalid.items()},
        "flags": scored.flags,
        "usage": asdict(scored.usage),
        "timing_ms": scored.timing_ms,
        "judge_answers": {name: own.judge_answers for name, own in scored.components.items()},
    }
    components = [
        {
            "name": name,
            "raw": _pack(own.raw),
            "value": _pack(own.value),
            "model": own.model,
            "model_version": own.model_version,
            "cached": None if own.cached is None else own.cached.tobytes(),
            "vectors": None
            if own.vectors is None
            else [None if vector is None else _pack(vector) for vector in own.vectors],
        }
        for name, own in scored.components.items()
    ]
    return msgspec.msgpack.encode(
        {"reward": _pack(scored.reward), "components": components, "rest": json.dumps(rest, default=_plain)}
    )


def decode_scores(record: bytes) -> Scored:
    """What :func:`encode_scores` was given."""
    stored = msgspec.msgpack.decode(record)
    rest = json.loads(stored["rest"])
    components = {
        own["name"]: ComponentScores(
            _unpack(own["raw"]),
            _unpack(own["value"]),
            own["model"],
            own["model_version"],
            None if own["cached"] is None else np.frombuffer(own["cached"], dtype=bool).copy(),
            None if own["vectors"] is None else [None if v is None else _unpack(v) for v in own["vectors"]],
            rest["judge_answers"][own["name"]],
        )
        for own in stored["components"]
    }
    return Scored(
        recipe=rest["recipe"],
        version=rest["version"],
        reward=_unpack(stored["reward"]),
        components=components,
        rewards=rest["rewards"],
        invalid={int(row): Invalid(**reason) for row, reason in rest["invalid"].items()},
        flags={int(row): tuple(names) for row, names in rest["flags"].items()},
        usage=Usage(**rest["usage"]),
        timing_ms=rest["timing_ms"],
    )


def keep_answers(recorded: Scored, rows: list[int], scored: Scored) -> None:
    """Lay the recorded answers of some rows over a batch that was scored without them, by the same recipe."""
    scored.reward[rows] = recorded.reward[rows]
    for name, own in scored.components.items():
        before = recorded.components[name]
        own.raw[rows], own.value[rows] = before.raw[rows], before.value[rows]
        if own.cached is not None and before.cached is not None:
            own.cached[rows] = before.cached[rows]
        for column, kept in ((own.vectors, before.vectors), (own.judge_answers, before.judge_answers)):
            if column is not None and kept is not None:
                for row in rows:
                    column[row] = kept[row]  # type: ignore[index]
    for row in rows:
        scored.invalid.pop(row, None)
        scored.flags.pop(row, None)
        if row in recorded.invalid:
            scored.invalid[row] = recorded.invalid[row]
        if row in recorded.flags:
            scored.flags[row] = recorded.flags[row]
        if scored.rewards is not None and recorded.rewards is not None:
            scored.rewards[row] = recorded.rewards[row]


def _pack(values: FloatArray) -> bytes:
    return np.asarray(values, dtype="<f8").tobytes()


def _unpack(packed: bytes) -> FloatArray:
    return np.frombuffer(packed, dtype="<f8").astype(np.float64)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"no JSON for {type(value).__name__}")
