"""audit/process_consistency: right and wrong responses in balance, those whose steps agree with the outcome."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

OP = "audit/process_consistency"
LAWS = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
responses = st.tuples(st.booleans(), st.lists(st.floats(0, 1), min_size=1, max_size=3))


def group(*own: tuple[Any, list[float]]) -> dict[str, Any]:
    return {"group": [{"correct": correct, "steps": steps} for correct, steps in own]}


def test_right_ones_with_good_steps_and_wrong_ones_with_bad_steps_are_kept(call: Any) -> None:
    item = group((True, [0.9, 0.7]), (True, [0.2]), (False, [0.9]), (False, [0.1, 0.3]), (True, [0.5]))
    (result,) = call(OP, item, m=2)
    assert result["details"]["keep"] == [0, 3]
    assert result["details"]["means"] == pytest.approx([0.8, 0.2, 0.9, 0.2, 0.5])
    assert result["reward"] == 0.5


def test_those_that_are_few_are_all_kept(call: Any) -> None:
    one_right = group((False, [0.1]), (False, [0.2]), (True, [0.0]), (False, [0.3]))
    (result,) = call(OP, one_right, m=3)
    assert result["details"]["keep"] == [0, 1, 2]
    (result,) = call(OP, group((False, [0.1]), (False, [0.2]), (False, [0.3])), m=2)
    assert result["details"] == {"keep": [0, 1], "right": 0, "wrong": 2, "means": [0.1, 0.2, 0.3]}
    assert result["reward"] == 0


def test_a_number_above_a_half_is_right(call: Any) -> None:
    (result,) = call(OP, group((1.0, [0.9]), (0.5, [0.1]), (0.51, [0.2])), m=2)
    assert result["details"]["keep"] == [0, 1]


@given(st.lists(responses, min_size=1, max_size=7), st.data())
@LAWS
def test_no_choice_of_as_many_is_better_balanced_nor_agrees_better(
    call: Any, members: list[tuple[bool, list[float]]], data: st.DataObject
) -> None:
    m = data.draw(st.integers(1, len(members)))
    (result,) = call(OP, group(*members), m=m)
    keep = result["details"]["keep"]
    assert keep == sorted(set(keep))
    assert len(keep) == m

    def imbalance(places: Any) -> int:
        return abs(sum(1 if members[k][0] else -1 for k in places))

    def agreement(places: Any) -> float:
        return float(sum(np.mean(members[k][1]) * (1 if members[k][0] else -1) for k in places))

    right = sum(members[k][0] for k in keep)
    every = list(itertools.combinations(range(len(members)), m))
    assert imbalance(keep) == min(map(imbalance, every))
    alike = [places for places in every if sum(members[k][0] for k in places) == right]
    assert agreement(keep) == pytest.approx(max(map(agreement, alike)))
    assert result["details"]["right"] == right
    assert result["reward"] == pytest.approx(right / m)


@pytest.mark.parametrize(
    ("item", "param"),
    [
        (group(), "group"),
        (group((True, [0.5])), "group"),
        (group((True, [0.5]), (False, [])), "group[1].steps"),
        (group((True, [1e308, 1e308]), (False, [0.1])), "group[0].steps"),
    ],
)
def test_what_cannot_be_chosen_from_is_that_items_error(call: Any, item: Any, param: str) -> None:
    fine = group((True, [0.5]), (False, [0.5]))
    one, result, other = call(OP, fine, item, fine, m=2)
    assert result["error"]["param"] == param
    assert one["reward"] == other["reward"] == 0.5
