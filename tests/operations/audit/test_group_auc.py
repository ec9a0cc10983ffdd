"""audit/group_auc (2405.00824)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "audit/group_auc"
GROUP = {"pos": [0.9, 0.4], "neg": [0.5, 0.1], "n_rated": 8}
NUMBERS = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=6)


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"groups": {"u1": GROUP}}, n_items=200, t_p=0.8, t_s=0.9)
    row = result["details"]["groups"]["u1"]
    assert row["auc"] == result["reward"] == 0.75
    assert row["sparsity"] == pytest.approx(0.96)
    assert row["weak"] is True
    assert row["route"] == "expensive"


def test_ties_count_half_and_one_sided_groups_have_no_auc(call: Any) -> None:
    groups = {"tied": {"pos": [1], "neg": [1]}, "bare": {"pos": [1], "neg": []}}
    (result,) = call(OP, {"groups": groups}, min_size=2)
    assert result["rewards"] == [0.5, None]
    assert result["reward"] == 0.5
    assert result["details"]["groups"]["bare"]["insufficient"] is True
    assert result["details"]["groups"]["bare"]["route"] == "cheap"


def test_the_mean_sparsity_is_the_threshold_unless_given(call: Any) -> None:
    bad = {"pos": [0.0], "neg": [1.0]}
    (result,) = call(OP, {"groups": {"a": {**bad, "n_rated": 1}, "b": {**bad, "n_rated": 9}}}, n_items=10)
    assert result["details"]["weak"] == ["a"]


def test_nothing_to_judge_is_an_error(call: Any) -> None:
    for broken in call(OP, {"groups": {}}, {"groups": {"a": {"pos": [], "neg": [1]}}}):
        assert broken["error"]["code"] == "invalid_field"
    assert call(OP, {"groups": {"a": {**GROUP, "n_rated": 9}}}, n_items=5)[0]["error"]["code"] == "invalid_field"


@settings(max_examples=50, deadline=None)
@given(NUMBERS, NUMBERS)
def test_equal_to_counting_pairs_and_mirrored_by_swapping_sides(call: Any, pos: list[float], neg: list[float]) -> None:
    there, back = call(OP, {"groups": {"g": {"pos": pos, "neg": neg}}}, {"groups": {"g": {"pos": neg, "neg": pos}}})
    pairs = [1.0 if p > n else 0.5 if p == n else 0.0 for p in pos for n in neg]
    assert there["reward"] == pytest.approx(sum(pairs) / len(pairs))
    assert there["reward"] + back["reward"] == pytest.approx(1)
