"""combine/harmo (2510.05283)."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "combine/harmo"
GROUP = [
    {"rule": 1, "format": 0, "length": 200},
    {"rule": 1, "format": 0, "length": 220},
    {"rule": 0, "format": 0, "length": 40},
    {"rule": 0, "format": 0, "length": 90},
]


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"group": GROUP}, p_max=0.5, tau=0.5)
    assert result["rewards"] == pytest.approx([1, 1, -0.3095, -0.0714], abs=1e-4)
    assert result["details"]["advantage"] == pytest.approx([0.5952, 0.5952, -0.7143, -0.4762], abs=1e-4)
    assert result["details"]["length_penalty"] == pytest.approx([0, 0, -0.3095, -0.0714], abs=1e-4)


def test_the_model_answers_only_where_there_is_no_verifier(call: Any) -> None:
    group = [{"rule": 0, "model": 0.7}, {"rule": None, "model": 0.7}, {"similarity": 0.4, "format": 1}]
    (result,) = call(OP, {"group": group})
    assert result["rewards"] == pytest.approx([0, 0.7, 1.4])
    assert result["details"]["source"] == ["rule", "model", "similarity"]


def test_an_unparsed_verdict_is_neither_wrong_nor_left_to_the_model(call: Any) -> None:
    group = [{"rule": 1, "length": 100}, {"verifiable": True, "rule": None, "model": 0.9, "length": 1}]
    (result,) = call(OP, {"group": group})
    assert result["rewards"] == [1.0, 0.0]
    assert result["details"]["source"] == ["rule", "unparsed"]


def test_without_a_correct_answer_nobody_is_penalised(call: Any) -> None:
    (result,) = call(OP, {"group": [{"rule": 0, "length": 1}, {"rule": 0, "length": 900}]})
    assert result["details"]["length_penalty"] == [0, 0]


def test_correct_may_be_said_where_the_model_scores(call: Any) -> None:
    group = [{"model": 0.9, "correct": True, "length": 100}, {"model": 0.1, "correct": False, "length": 0}]
    (result,) = call(OP, {"group": group})
    assert result["rewards"] == pytest.approx([0.9, 0.1 - 0.5])


def test_a_group_of_one_has_advantage_zero_and_an_empty_one_is_an_error(call: Any) -> None:
    one, empty, bare = call(OP, {"group": GROUP[:1]}, {"group": []}, {"group": [{"format": 1}]})
    assert one["details"]["advantage"] == [0]
    assert empty["error"]["code"] == bare["error"]["code"] == "invalid_field"


def test_squash_puts_an_unbounded_model_reward_on_the_unit_interval(call: Any) -> None:
    (result,) = call(OP, {"group": [{"model": 1e4}, {"model": -1e4}, {"model": 0.0}]}, squash="sigmoid")
    assert result["rewards"] == [1.0, 0.0, 0.5]


MEMBERS = st.fixed_dictionaries(
    {"rule": st.sampled_from([0, 1]), "format": st.sampled_from([0, 1]), "length": st.floats(0, 1e4)}
)


@settings(max_examples=50, deadline=None)
@given(st.lists(MEMBERS, min_size=1, max_size=6))
def test_advantages_sum_to_zero_the_penalty_is_bounded_and_order_is_free(
    call: Any, group: list[dict[str, float]]
) -> None:
    result, reverse = call(OP, {"group": group}, {"group": group[::-1]})
    assert sum(result["details"]["advantage"]) == pytest.approx(0, abs=1e-9)
    assert all(-0.5 <= penalty <= 0 for penalty in result["details"]["length_penalty"])
    assert all(math.isfinite(reward) for reward in result["rewards"])
    assert reverse["rewards"][::-1] == pytest.approx(result["rewards"])
