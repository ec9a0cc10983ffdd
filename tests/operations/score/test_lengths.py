"""score/response_length, overlong_penalty, linear_length, cosine_length."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest

LAWS = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
OVERLONG: dict[str, Any] = {"max_length": 100.0, "cache": 20.0}


def of(call: Any, name: str, *lengths: float, correct: bool | None = None, **params: Any) -> list[float]:
    extra = {} if correct is None else {"correct": correct}
    items = [{"response": "", "length": float(length), **extra} for length in lengths]
    return [result["reward"] for result in call(f"score/{name}", *items, **params)]


def test_length_is_counted_in_words_or_characters_unless_it_is_given(call: Any) -> None:
    items = [{"response": "two  words"}, {"response": ""}, {"response": "two words", "length": 17.0}]
    assert [r["reward"] for r in call("score/response_length", *items)] == [2.0, 0.0, 17.0]
    assert [r["reward"] for r in call("score/response_length", *items, unit="characters")] == [10.0, 0.0, 17.0]


def test_the_overlong_penalty_falls_over_the_last_stretch(call: Any) -> None:
    assert of(call, "overlong_penalty", 0, 80, 90, 100, 500, **OVERLONG) == [0.0, 0.0, -0.5, -1.0, -1.0]


def test_the_papers_own_numbers(call: Any) -> None:
    (half,) = of(call, "overlong_penalty", 16_384 + 2_048, max_length=20_480.0, cache=4_096.0)
    assert half == -0.5


def test_a_stretch_longer_than_the_limit_is_refused(call: Any) -> None:
    with pytest.raises(InvalidRequest):
        of(call, "overlong_penalty", 1, max_length=10.0, cache=20.0)


def test_a_linear_cost_counts_the_distance_to_the_target(call: Any) -> None:
    assert of(call, "linear_length", 90, 100, 120, target=100.0, per_unit=0.5) == [-5.0, 0.0, -10.0]
    assert of(call, "linear_length", 90, 120, target=100.0, per_unit=0.5, side="over", floor=-3.0) == [0.0, -3.0]


def test_right_answers_lose_and_wrong_ones_gain_with_length(call: Any) -> None:
    lengths = (0, 50, 99.999999, 100)
    right = of(call, "cosine_length", *lengths, correct=True, max_length=100.0)
    wrong = of(call, "cosine_length", *lengths, correct=False, max_length=100.0)
    assert right == [2.0, pytest.approx(1.5), pytest.approx(1.0), -10.0]
    assert wrong == [-10.0, pytest.approx(-5.0), pytest.approx(0.0), -10.0]


def test_a_verdict_may_be_a_number_and_a_missing_one_is_an_error(call: Any) -> None:
    right, wrong, none = call(
        "score/cosine_length",
        {"response": "", "correct": 1.0},
        {"response": "", "correct": 0.0},
        {"response": ""},
        max_length=10.0,
    )
    assert (right["reward"], wrong["reward"]) == (2.0, -10.0)
    assert none["error"]["param"] == "correct"


@given(a=st.floats(0, 1e4), b=st.floats(0, 1e4))
@LAWS
def test_longer_never_costs_less(call: Any, a: float, b: float) -> None:
    shorter, longer = of(call, "overlong_penalty", min(a, b), max(a, b), **OVERLONG)
    assert -1.0 <= longer <= shorter <= 0.0
    shorter, longer = of(call, "cosine_length", min(a, b), max(a, b), correct=True, max_length=5000.0)
    assert longer <= shorter
