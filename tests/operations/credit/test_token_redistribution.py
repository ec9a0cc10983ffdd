"""credit/token_redistribution: the tokens of a response share its reward, all of it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

OP = "credit/token_redistribution"
LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
weights = st.lists(st.floats(0, 1e6), min_size=1, max_size=8).filter(any)


def test_by_attention_and_the_rest_on_the_last_token(call: Any) -> None:
    assert call(OP, {"reward": 2, "attention": [1, 3, 4]})[0]["rewards"] == [0.25, 0.75, 1]
    assert call(OP, {"reward": 2, "attention": [1, 3, 4]}, beta=0.5)[0]["rewards"] == [0.125, 0.375, 1.5]
    assert call(OP, {"reward": 2, "attention": [1, 3, 4]}, beta=0)[0]["rewards"] == [0, 0, 2]


@given(st.floats(-100, 100), weights, st.floats(0, 1), st.sampled_from([1e-300, 0.5, 1e300]))
@LAWS
def test_the_sum_is_kept_whatever_the_scale_of_the_weights(
    call: Any, reward: float, attention: list[float], beta: float, scale: float
) -> None:
    plain, scaled = call(
        OP,
        {"reward": reward, "attention": attention},
        {"reward": reward, "attention": [w * scale for w in attention]},
        beta=beta,
    )
    assert sum(plain["rewards"]) == pytest.approx(reward, abs=1e-9)
    if scaled["error"] is None and scale != 1e-300:
        assert scaled["rewards"] == pytest.approx(plain["rewards"], abs=1e-9)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8), st.floats(-100, 100), st.floats(-100, 100))
@LAWS
def test_increments_telescope_and_a_common_shift_changes_nothing(
    call: Any, prefixes: list[float], start: float, shift: float
) -> None:
    moved = {"prefix_rewards": [p + shift for p in prefixes], "start": start + shift}
    plain, shifted = call(OP, {"prefix_rewards": prefixes, "start": start}, moved, variant="red")
    assert sum(plain["rewards"]) == pytest.approx(prefixes[-1] - start, abs=1e-9)
    assert shifted["rewards"] == pytest.approx(plain["rewards"], abs=1e-9)


@pytest.mark.parametrize(
    ("variant", "item", "param"),
    [
        ("abc", {"attention": [1.0]}, "reward"),
        ("abc", {"reward": 1}, "attention"),
        ("abc", {"reward": 1, "attention": []}, "attention"),
        ("abc", {"reward": 1, "attention": [0, 0]}, "attention"),
        ("abc", {"reward": 1, "attention": [0.5, -0.1]}, "attention[1]"),
        ("red", {"reward": 1, "attention": [1.0], "start": 0}, "prefix_rewards"),
        ("red", {"prefix_rewards": [], "start": 0}, "prefix_rewards"),
        ("red", {"prefix_rewards": [1.0]}, "start"),
        ("red", {"prefix_rewards": [1e308, -1e308], "start": 0}, "prefix_rewards"),
    ],
)
def test_what_is_missing_is_that_items_error(call: Any, variant: str, item: Any, param: str) -> None:
    fine = {"reward": 1, "attention": [1.0], "prefix_rewards": [1.0], "start": 0}
    one, result, other = call(OP, fine, item, fine, variant=variant)
    assert result["error"]["param"] == param
    assert one["rewards"] == other["rewards"] == [1.0]
