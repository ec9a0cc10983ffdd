"""score/rank: best of N."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "score/rank"


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"scores": [5.76, -2.84375]})
    assert result["rewards"] == [0, 1]
    assert result["details"]["win_probability"] == pytest.approx([0.99982, 0.00018], abs=1e-5)
    assert result["details"]["best"] == 0


def test_ties_keep_their_order_and_one_alone_wins(call: Any) -> None:
    ties, one, none = call(OP, {"scores": [1, 2, 2]}, {"scores": [3]}, {"scores": []})
    assert ties["rewards"] == [2, 0, 1]
    assert ties["details"]["win_probability"][1:] == [0.5, 0.5]
    assert one["rewards"] == [0]
    assert none["error"]["code"] == "invalid_field"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=8))
def test_ranks_are_a_permutation_that_sorts(call: Any, scores: list[float]) -> None:
    (result,) = call(OP, {"scores": scores})
    assert sorted(result["rewards"]) == list(range(len(scores)))
    assert [scores[i] for i in result["details"]["order"]] == sorted(scores, reverse=True)
