"""audit/preference_consistency."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = "audit/preference_consistency"
probs = st.lists(st.floats(0, 1), min_size=1, max_size=5)


def models(values: list[float]) -> dict[str, Any]:
    return {"probs": {f"m{i}": value for i, value in enumerate(values)}}


def test_models_on_one_side_agree(call: Any) -> None:
    agree, differ = call(PATH, models([0.8, 0.7]), models([0.8, 0.3]))
    assert (agree["reward"], differ["reward"]) == (1.0, 0.0)
    assert agree["details"]["consistent"] is agree["details"]["keep"] is True
    assert differ["details"]["keep"] is False
    assert (agree["details"]["label"], differ["details"]["label"]) == (1, None)
    for result, mean, js, entropy in ((agree, 0.75, 0.0067, 0.5623), (differ, 0.55, 0.1325, 0.6881)):
        assert result["details"]["mean"] == pytest.approx(mean)
        assert result["details"]["js"] == pytest.approx(js, abs=5e-5)
        assert result["details"]["entropy"] == pytest.approx(entropy, abs=5e-5)


def test_the_implicit_reward_of_a_dpo_model_is_a_probability(call: Any) -> None:
    [result] = call(PATH, {"log_ratios": {"dpo": [1.0, -0.5]}})
    assert result["details"]["probs"]["dpo"] == pytest.approx(0.5374, abs=5e-5)


def test_a_judge_asked_in_both_orders_is_averaged(call: Any) -> None:
    [result] = call(PATH, {"orders": {"judge": [0.9, 0.5]}, "probs": {"dpo": 0.6}})
    assert result["details"]["probs"] == {"dpo": 0.6, "judge": pytest.approx(0.7)}
    assert result["details"]["keep"] is True


def test_exactly_one_half_is_no_agreement(call: Any) -> None:
    [result] = call(PATH, models([0.5, 0.9]))
    assert result["details"]["consistent"] is False


@pytest.mark.parametrize(("values", "keep"), [([0.8, 0.9], False), ([0.81, 0.9], True), ([0.2, 0.1], False)])
def test_every_model_must_clear_the_margin(call: Any, values: list[float], keep: bool) -> None:
    assert call(PATH, models(values), tau=0.3)[0]["details"]["keep"] is keep


def test_one_model_alone_does_not_differ_from_itself(call: Any) -> None:
    [result] = call(PATH, models([0.9]))
    assert result["details"]["js"] == 0.0


@pytest.mark.parametrize(
    ("item", "params", "word"),
    [
        ({"probs": {}}, {}, "give"),
        ({"probs": {"a": None, "b": 0.9}}, {}, "'a'"),
        ({"probs": {"a": 0.9}}, {"models": ["a", "b"]}, "'b'"),
        ({"probs": {"a": 1.1}}, {}, "between"),
        ({"log_ratios": {"a": [1.0]}}, {}, "two"),
        ({"orders": {"a": []}}, {}, "two"),
    ],
)
def test_a_missing_model_is_an_error_and_never_agreement(
    call: Any, item: dict[str, Any], params: dict[str, Any], word: str
) -> None:
    [result] = call(PATH, item, **params)
    assert word in result["error"]["message"]


@given(probs, st.floats(0, 0.4))
@settings(max_examples=50, deadline=None)
def test_laws_of_the_penalty(call: Any, values: list[float], tau: float) -> None:
    one, turned, mirrored = call(PATH, models(values), models(values[::-1]), models([1 - v for v in values]), tau=tau)
    details = one["details"]
    assert 0.0 <= details["js"] <= details["entropy"] + 1e-12 <= math.log(2) + 1e-9
    assert details["js"] == pytest.approx(turned["details"]["js"], abs=1e-12)
    assert details["entropy"] == pytest.approx(mirrored["details"]["entropy"], abs=1e-9)
    if len(set(values)) == 1:
        assert details["js"] == pytest.approx(0.0, abs=1e-12)
