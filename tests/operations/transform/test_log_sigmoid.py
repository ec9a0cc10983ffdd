"""transform/log_sigmoid (2402.00742)."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "transform/log_sigmoid"
REFERENCES = [0.5, 1, 2]
NUMBERS = st.floats(-1e4, 1e4)


def test_the_worked_examples(call: Any) -> None:
    item = {"reward": 1.2, "reference_rewards": REFERENCES}
    (empirical,) = call(OP, item)
    assert empirical["reward"] == pytest.approx(-0.97408, abs=1e-5)
    assert empirical["details"]["reference"] == pytest.approx(1.7)
    (normal,) = call(OP, item, method="normal")
    assert normal["reward"] == pytest.approx(-1.14249, abs=1e-5)
    assert normal["details"]["reference"] == pytest.approx(1.95826, abs=1e-5)
    assert call(OP, {"reward": 2, "reference": 1.5})[0]["reward"] == pytest.approx(-0.47408, abs=1e-5)


@pytest.mark.parametrize("method", ["empirical", "normal"])
def test_one_reference_reward_is_used_as_it_is(call: Any, method: str) -> None:
    (result,) = call(OP, {"reward": 1.0, "reference_rewards": [1.0]}, method=method)
    assert result["reward"] == pytest.approx(-math.log(2))


@pytest.mark.parametrize("method", ["empirical", "normal"])
def test_equal_reference_rewards_are_their_own_quantile(call: Any, method: str) -> None:
    (result,) = call(OP, {"reward": 0.3, "reference_rewards": [0.1] * 7}, method=method)
    assert result["details"]["reference"] == pytest.approx(0.1)


def test_no_reference_is_the_items_own_error(call: Any) -> None:
    missing, empty, fine = call(
        OP, {"reward": 1.0}, {"reward": 1.0, "reference_rewards": []}, {"reward": 1.0, "reference": 0.0}
    )
    assert missing["error"]["code"] == empty["error"]["code"] == "missing_field"
    assert fine["error"] is None


def test_the_reference_wins_over_reference_rewards(call: Any) -> None:
    (result,) = call(OP, {"reward": 1.0, "reference": 1.0, "reference_rewards": [5.0]})
    assert result["details"]["reference"] == 1.0


def test_the_ends_of_a_normal_distribution_refuse_the_request(call: Any) -> None:
    from reward_gateway.errors import InvalidRequest

    with pytest.raises(InvalidRequest):
        call(OP, {"reward": 1.0, "reference": 0.0}, method="normal", quantile=1.0)


def test_a_samples_gold_answer_is_no_reference_reward() -> None:
    from reward_gateway.operations.columns import Columns
    from reward_gateway.operations.transform.log_sigmoid import Params, log_sigmoid

    columns = Columns(1, {"reward": [1.0], "reference": ["42"], "reference_rewards": [[0.0]]})
    assert log_sigmoid(columns, Params()).details["reference"] == [0.0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(NUMBERS, st.lists(NUMBERS, min_size=1, max_size=4)), min_size=1, max_size=4))
def test_at_most_zero_finite_and_the_same_one_by_one(call: Any, pairs: list[tuple[float, list[float]]]) -> None:
    items = [{"reward": reward, "reference_rewards": references} for reward, references in pairs]
    together = call(OP, *items)
    assert together == [call(OP, item)[0] for item in items]
    for result in together:
        assert result["reward"] <= 0
        assert math.isfinite(result["reward"])


@settings(max_examples=50, deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_monotone_in_the_reward_and_invariant_to_a_common_shift(
    call: Any, a: float, b: float, reference: float, shift: float
) -> None:
    low, high = sorted((a, b))
    below, above, moved = call(
        OP,
        {"reward": low, "reference": reference},
        {"reward": high, "reference": reference},
        {"reward": low + shift, "reference": reference + shift},
    )
    assert below["reward"] <= above["reward"]
    assert moved["reward"] == pytest.approx(below["reward"], abs=1e-6)
