"""score/rere (2510.12211)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "score/rere"


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"candidates": ["B", "C", "A", "D"], "target": "A"}, ranking=True)
    assert result["rewards"] == pytest.approx([-0.39038, -0.24630, 1, -0.16813], abs=1e-5)
    assert result["details"]["advantage"] == pytest.approx([-0.68527, -0.46046, 1.48421, -0.33848], abs=1e-5)


def test_the_rule_alone(call: Any) -> None:
    (result,) = call(OP, {"candidates": ["B", "A"], "target": "A"}, ranking=False)
    assert result["rewards"] == [0, 1]


def test_without_the_target_nobody_is_punished(call: Any) -> None:
    (result,) = call(OP, {"candidates": ["B", "C"], "target": "A"})
    assert result["rewards"] == result["details"]["advantage"] == [0, 0]


def test_quotes_and_newlines_around_a_title_do_not_matter(call: Any) -> None:
    (result,) = call(OP, {"candidates": ['"A"\n', "'A", "B"], "target": "A\n"})
    assert result["details"]["rule"] == [1, 1, 0]
    assert result["rewards"][:2] == [1, 1]


def test_a_group_of_one_has_no_advantage_and_an_empty_one_is_an_error(call: Any) -> None:
    one, empty = call(OP, {"candidates": ["A"], "target": "A"}, {"candidates": [], "target": "A"})
    assert one["rewards"] == [1]
    assert one["details"]["advantage"] == [0]
    assert empty["error"]["code"] == "invalid_field"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("ABCD"), min_size=1, max_size=8))
def test_a_wrong_item_costs_more_the_higher_it_stands(call: Any, candidates: list[str]) -> None:
    (result,) = call(OP, {"candidates": candidates, "target": "A"})
    penalties = [r for r, c in zip(result["rewards"], candidates, strict=True) if c != "A"]
    assert penalties == sorted(penalties)
    assert sum(penalties) >= -1 - 1e-9
    assert sum(result["details"]["advantage"]) == pytest.approx(0, abs=1e-6)
