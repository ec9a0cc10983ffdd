"""Encoding of answers that are recorded with an idempotency key, so that a repeat gets the same answer."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np

from reward_gateway.sample import ComponentScores, FloatArray, GroupStats, Invalid, Scored, Usage
from reward_gateway.sample.scores import Origin


def encode_results(results: Any) -> bytes:
    """Encode JSON-ready results; texts may contain lone surrogates."""
    return json.dumps(results).encode()


def encode_recorded(encode: Callable[[Any], Any], results: Any) -> tuple[Any, bytes]:
    """Results as ``encode`` encodes them, and as they are recorded."""
    return encode(results), encode_results(results)


def decode_results(record: bytes) -> Any:
    """Decode the output of :func:`encode_results`."""
    return json.loads(record)


def encode_scores(scored: Scored) -> bytes:
    """Encode a scored batch: numbers as packed doubles, the rest as JSON."""
    rest = {
        "recipe": scored.recipe,
        "version": scored.version,
        "versions": scored.versions,
        "rewards": scored.rewards,
        "answer": scored.answer,
        "invalid": {row: _encode_reason(reason) for row, reason in scored.invalid.items()},
        "flags": scored.flags,
        "groups": None if scored.groups is None else {name: asdict(of) for name, of in scored.groups.items()},
        "usage": asdict(scored.usage),
        "timing_ms": scored.timing_ms,
        "judge_answers": {name: component.judge_answers for name, component in scored.components.items()},
        "skipped": {name: part.skipped for name, part in scored.components.items() if part.skipped is not None},
        "limits": {name: part.limits for name, part in scored.components.items() if part.limits is not None},
        "models": {name: part.models for name, part in scored.components.items() if part.models is not None},
    }
    components = [
        {
            "name": name,
            "raw": _pack_numbers(component.raw),
            "value": _pack_numbers(component.value),
            "model": component.model,
            "model_version": component.model_version,
            "cached": None if component.cached is None else component.cached.tobytes(),
            "vectors": None
            if component.vectors is None
            else [None if vector is None else _pack_numbers(vector) for vector in component.vectors],
            "verdicts": None
            if component.verdicts is None
            else {verdict: _pack_numbers(column) for verdict, column in component.verdicts.items()},
        }
        for name, component in scored.components.items()
    ]
    return msgspec.msgpack.encode(
        {
            "reward": _pack_numbers(scored.reward),
            "reward_raw": None if scored.reward_raw is None else _pack_numbers(scored.reward_raw),
            "components": components,
            "rest": json.dumps(rest, default=_to_plain),
        }
    )


def decode_scores(record: bytes) -> Scored:
    """Decode the output of :func:`encode_scores`."""
    stored = msgspec.msgpack.decode(record)
    rest = json.loads(stored["rest"])
    components = {
        component["name"]: ComponentScores(
            _unpack_numbers(component["raw"]),
            _unpack_numbers(component["value"]),
            component["model"],
            component["model_version"],
            None if component["cached"] is None else np.frombuffer(component["cached"], dtype=bool).copy(),
            None
            if component["vectors"] is None
            else [None if v is None else _unpack_numbers(v) for v in component["vectors"]],
            rest["judge_answers"][component["name"]],
            None
            if component.get("verdicts") is None
            else {verdict: _unpack_numbers(column) for verdict, column in component["verdicts"].items()},
            rest.get("skipped", {}).get(component["name"]),
            _read_origins(rest.get("models", {}).get(component["name"])),
            rest.get("limits", {}).get(component["name"]),
        )
        for component in stored["components"]
    }
    return Scored(
        recipe=rest["recipe"],
        version=rest["version"],
        versions=rest.get("versions"),
        reward=_unpack_numbers(stored["reward"]),
        components=components,
        rewards=rest["rewards"],
        reward_raw=None if stored.get("reward_raw") is None else _unpack_numbers(stored["reward_raw"]),
        answer=rest.get("answer", "normalized"),
        invalid={int(row): Invalid(**reason) for row, reason in rest["invalid"].items()},
        flags={int(row): tuple(names) for row, names in rest["flags"].items()},
        groups=_read_groups(rest.get("groups")),
        usage=Usage(**rest["usage"]),
        timing_ms=rest["timing_ms"],
    )


def keep_answers(recorded: Scored, rows: list[int], scored: Scored) -> None:
    """Copy the recorded answers of some rows into a batch that was scored without them, by the same recipe."""
    scored.reward[rows] = recorded.reward[rows]
    if scored.reward_raw is not None and recorded.reward_raw is not None:
        scored.reward_raw[rows] = recorded.reward_raw[rows]
    for name, component in scored.components.items():
        recorded_component = recorded.components[name]
        component.raw[rows], component.value[rows] = recorded_component.raw[rows], recorded_component.value[rows]
        if component.cached is not None and recorded_component.cached is not None:
            component.cached[rows] = recorded_component.cached[rows]
        if component.skipped is not None or recorded_component.skipped is not None:
            skipped, before = (part.skipped or [None] * len(part.raw) for part in (component, recorded_component))
            again = set(rows)
            component.skipped = [before[i] if i in again else by for i, by in enumerate(skipped)]
            component.model = component.model or recorded_component.model
            component.model_version = component.model_version or recorded_component.model_version
        if component.models is not None and recorded_component.models is not None:
            again, before_models = set(rows), recorded_component.models
            component.models = [before_models[i] if i in again else own for i, own in enumerate(component.models)]
        if component.limits is not None or recorded_component.limits is not None:
            limits, before_limits = (part.limits or [None] * len(part.raw) for part in (component, recorded_component))
            again = set(rows)
            component.limits = [before_limits[i] if i in again else own for i, own in enumerate(limits)]
        for verdict, marks in (component.verdicts or {}).items():
            if recorded_component.verdicts is not None and verdict in recorded_component.verdicts:
                marks[rows] = recorded_component.verdicts[verdict][rows]
        for column, recorded_column in (
            (component.vectors, recorded_component.vectors),
            (component.judge_answers, recorded_component.judge_answers),
        ):
            if column is not None and recorded_column is not None:
                for row in rows:
                    column[row] = recorded_column[row]  # type: ignore[index]
    for row in rows:
        scored.invalid.pop(row, None)
        scored.flags.pop(row, None)
        if row in recorded.invalid:
            scored.invalid[row] = recorded.invalid[row]
        if row in recorded.flags:
            scored.flags[row] = recorded.flags[row]
        if scored.rewards is not None and recorded.rewards is not None:
            scored.rewards[row] = recorded.rewards[row]


def _read_groups(stored: dict[str, Any] | None) -> dict[str, GroupStats] | None:
    return None if stored is None else {name: GroupStats(**of) for name, of in stored.items()}


def _read_origins(stored: list[list[str | None]] | None) -> list[Origin] | None:
    return None if stored is None else [(model, version) for model, version in stored]


def _pack_numbers(values: FloatArray) -> bytes:
    return np.asarray(values, dtype="<f8").tobytes()


def _unpack_numbers(packed: bytes) -> FloatArray:
    return np.frombuffer(packed, dtype="<f8").astype(np.float64)


def _to_plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"no JSON for {type(value).__name__}")


def _encode_reason(reason: Invalid) -> dict[str, Any]:
    """What an answer tells of a reason."""
    told = asdict(reason)
    del told["away"]
    return told
