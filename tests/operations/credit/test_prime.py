"""credit/prime (2502.01456)."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "credit/prime"


def rollout(ratios: list[float], outcome: float) -> dict[str, Any]:
    return {"logp": ratios, "ref_logp": [0.0] * len(ratios), "outcome": outcome}


PAIR = [rollout([0.4, 0.8, -1], 1), rollout([0.1, -0.3], 0)]


def test_the_worked_example_of_token_rewards(call: Any) -> None:
    group = [{"logp": [-1, -0.5, -2], "ref_logp": [-1.2, -0.9, -1.5], "outcome": 1}]
    (result,) = call(OP, {"group": group}, beta=0.05, variant="paper")
    assert result["rewards"][0] == pytest.approx([0.01, 0.02, -0.025])
    assert result["details"]["cross_entropy"] == pytest.approx([0.69065], abs=1e-5)
    (released,) = call(OP, {"group": group}, variant="released")
    assert released["rewards"][0] == pytest.approx([0.2, 0.4, -0.5])


def test_the_worked_example_of_returns(call: Any) -> None:
    (paper,) = call(OP, {"group": PAIR}, beta=1.0)
    assert paper["details"]["returns"][0] == pytest.approx([1.5, 1.0, 0.1])
    assert paper["details"]["returns"][1] == pytest.approx([-1.3333, -1.3667], abs=1e-4)
    (released,) = call(OP, {"group": PAIR}, variant="released")
    assert released["details"]["returns"][0] == pytest.approx([1.5, 0.6667, -0.9667], abs=1e-4)
    assert released["details"]["returns"][1] == pytest.approx([-1.3333, -1.5667], abs=1e-4)


def test_the_batch_norm_divides_by_the_greatest_return_to_go(call: Any) -> None:
    group = [rollout([0.2, 0.4, -0.5], 1), rollout([0.0], 1)]
    (result,) = call(OP, {"group": group}, variant="released")
    (scaled,) = call(
        OP, {"group": [rollout([0.4, 0.8, -1], 1), rollout([0.0], 1)]}, variant="released", batch_norm=False
    )
    assert result["details"]["returns"][0] == pytest.approx(scaled["details"]["returns"][0], abs=1e-5)


def test_whole_puts_the_sum_on_the_last_token(call: Any) -> None:
    (result,) = call(OP, {"group": PAIR}, beta=1.0, granularity="whole")
    assert result["rewards"][0] == pytest.approx([0, 0, 0.2])


def test_one_rollout_has_no_baseline(call: Any) -> None:
    (result,) = call(OP, {"group": PAIR[:1]})
    assert result["details"]["returns"] == [[0, 0, 0]]
    assert result["details"]["flags"] == ["no_baseline"]


def test_equal_outcomes_have_no_outcome_advantage(call: Any) -> None:
    (result,) = call(OP, {"group": [rollout([0.1], 1), rollout([0.2], 1), rollout([], 1)]})
    assert result["details"]["outcome_advantage"] == [0, 0, 0]
    assert result["details"]["returns"][2] == []
    assert result["details"]["keep"] is False


@pytest.mark.parametrize(("right", "keep"), [(0, False), (1, True), (4, True), (5, False)])
def test_groups_of_middling_accuracy_are_kept(call: Any, right: int, keep: bool) -> None:
    (result,) = call(OP, {"group": [rollout([0.1], float(i < right)) for i in range(5)]})
    assert result["details"]["keep"] is keep


def test_unequal_lists_and_an_empty_group_are_errors(call: Any) -> None:
    for broken in call(OP, {"group": []}, {"group": [{"logp": [1.0], "ref_logp": [], "outcome": 1}]}):
        assert broken["error"]["code"] == "invalid_field"


RATIOS = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(RATIOS, st.sampled_from([0, 1])), min_size=2, max_size=4))
def test_finite_free_of_order_and_outcomes_cancel(call: Any, pairs: list[tuple[list[float], int]]) -> None:
    group = [rollout(ratios, outcome) for ratios, outcome in pairs]
    for variant in ("paper", "released"):
        result, reverse = call(OP, {"group": group}, {"group": group[::-1]}, variant=variant)
        assert sum(result["details"]["outcome_advantage"]) == pytest.approx(0, abs=1e-9)
        for own, other in zip(result["details"]["returns"], reverse["details"]["returns"][::-1], strict=True):
            assert all(math.isfinite(value) for value in own)
            assert other == pytest.approx(own, rel=1e-6, abs=1e-6)
