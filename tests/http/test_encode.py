"""Encoding: rows from columns, finite numbers only, the same keys always."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from reward_gateway.http.encode import encode_scored, timing
from reward_gateway.http.plain_rows import FEWEST
from reward_gateway.sample import Batch, ComponentScores, Invalid, Scored, Usage

FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)


def encoded(scored: Scored, explain: bool = True) -> dict[str, Any]:
    n = len(scored.reward)
    batch = Batch([str(i) for i in range(n)], [""] * n, [""] * n)
    data = encode_scored(batch, scored, timing(scored, 0.1234567, 1.0), explain=explain)

    def constant(name: str) -> float:
        raise AssertionError(name)

    return json.loads(data, parse_constant=constant)  # type: ignore[no-any-return]


@given(arrays.arrays(np.float64, st.integers(0, 6), elements=FLOATS))
def test_every_number_is_finite_or_null_and_a_number_lost_is_never_valid(reward: Any) -> None:
    component = ComponentScores(reward, reward)
    body = encoded(Scored("r", "v", reward, {"a": component, "b": component}))
    for number, result in zip(reward, body["results"], strict=True):
        assert result["valid"] is bool(np.isfinite(number))
        assert result["reward"] == (float(number) if np.isfinite(number) else None)
        assert (result["error"] is None) is result["valid"]
        assert list(result["components"]) == ["a", "b"]


@given(arrays.arrays(np.float64, 4, elements=st.floats(allow_nan=False, allow_infinity=False, width=64)))
def test_numbers_come_through_to_the_last_bit(reward: Any) -> None:
    assert [result["reward"] for result in encoded(Scored("r", "v", reward, {}))["results"]] == reward.tolist()


def test_an_invalid_row_keeps_its_place_its_keys_and_its_default() -> None:
    reward = np.array([1.0, -9.0])
    scored = Scored(
        "r", "v", reward, {}, invalid={1: Invalid("model_error", "it failed", "quality")}, flags={0: ("a", "b")}
    )
    good, bad = encoded(scored)["results"]
    assert good["flags"] == ["a", "b"]
    assert (bad["reward"], bad["valid"]) == (-9.0, False)
    assert bad["error"] == {"code": "model_error", "message": "it failed", "component": "quality", "param": None}
    assert set(good) == set(bad)


def test_vectors_are_rewards_and_a_row_with_one_is_valid_without_a_scalar() -> None:
    scored = Scored("r", "v", np.array([np.nan, np.nan]), {}, rewards=[np.array([0.5, 1.0]), [[1.0], [2.0, np.nan]]])
    first, second = encoded(scored)["results"]
    assert (first["rewards"], second["rewards"]) == ([0.5, 1.0], [[1.0], [2.0, None]])
    assert first["valid"] is True


def test_component_vectors_are_shown_beside_the_scalar() -> None:
    nothing = np.array([np.nan, np.nan])
    component = ComponentScores(nothing, nothing, vectors=[np.array([1.0, 2.0]), None])
    first, second = encoded(Scored("r", "v", np.zeros(2), {"steps": component}))["results"]
    assert first["components"]["steps"]["vector"] == [1.0, 2.0]
    assert second["components"]["steps"]["vector"] is None


@pytest.mark.parametrize("size", [2, FEWEST])
def test_a_component_that_was_skipped_says_what_decided_and_names_no_model(size: int) -> None:
    raw, value = np.full(size, 1.0), np.full(size, 2.0)
    raw[1], value[1] = np.nan, -0.5
    skipped = [None, "correct", *[None] * (size - 2)]
    cached = np.arange(size) != 1
    component = ComponentScores(raw, value, "rm", "1", cached, skipped=skipped)
    first, second = encoded(Scored("r", "v", np.zeros(size), {"quality": component}))["results"][:2]
    asked = {"raw": 1.0, "value": 2.0, "model": "rm", "model_version": "1", "cached": True, "skipped": None}
    left_out = {"raw": None, "value": -0.5, "model": None, "model_version": None, "cached": False}
    assert first["components"]["quality"] == asked
    assert second["components"]["quality"] == {**left_out, "skipped": "correct"}


def test_usage_and_times_stand_beside_the_results() -> None:
    scored = Scored("r", "v", np.zeros(1), {}, usage=Usage(1, 2, 3, 4, 5), timing_ms={"cache": 0.5})
    body = encoded(scored)
    assert body["usage"] == {"samples": 1, "cache_hits": 2, "cache_misses": 3, "model_calls": 4, "skipped": 5}
    assert body["timing_ms"] == {"total": 1.0, "decode": 0.123, "cache": 0.5, "inference": 0.0, "combine": 0.0}
