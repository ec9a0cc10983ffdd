"""credit/renorm (2509.25598)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "credit/renorm"


def test_the_worked_examples(call: Any) -> None:
    right, wrong, invalid = call(
        OP,
        {"process": [[4, 6], [5, 5]], "outcome": 1},
        {"process": [[4, 6], [5, 5]], "outcome": 0},
        {"process": [[7, 6]], "outcome": 0},
    )
    assert right["rewards"] == pytest.approx([0.6667, 1.0, 1.0], abs=1e-4)
    assert wrong["rewards"] == pytest.approx([-0.3333, 0, 0], abs=1e-4)
    assert invalid["rewards"] == [-1, 0]
    assert invalid["details"]["judged"] == [False]


def test_the_same_by_name(call: Any) -> None:
    assert call(OP, {"process": [[4, 6], [5, 5]], "outcome": False}, beta=1.0)[0]["rewards"][2] == 0


@pytest.mark.parametrize("judged", [None, [3, 0], [-1, 5], [6, 5], [1, -2], 1.5, -0.1])
def test_an_invalid_judgement_counts_nothing_and_is_said(call: Any, judged: Any) -> None:
    (result,) = call(OP, {"process": [judged, [1, 1]], "outcome": 1})
    assert result["rewards"] == [0, 1, 1]
    assert result["details"]["judged"] == [False, True]


def test_a_trajectory_of_one_turn_is_left_as_it_is(call: Any) -> None:
    assert [r["rewards"] for r in call(OP, *({"process": [], "outcome": o} for o in (0, 1)))] == [[0], [1]]


def test_a_plain_number_is_a_score_out_of_one(call: Any) -> None:
    assert call(OP, {"process": [0.25], "outcome": 1})[0]["rewards"] == [0.25, 1]


def test_the_number_of_turns_must_fit_and_a_judgement_is_a_pair(call: Any) -> None:
    short, triple, fine = call(
        OP,
        {"process": [[1, 2]], "outcome": 1, "turns": 3},
        {"process": [[1, 2, 3]], "outcome": 1},
        {"process": [[1, 2]], "outcome": 1, "turns": 2},
    )
    assert short["error"]["code"] == triple["error"]["code"] == "invalid_field"
    assert fine["rewards"] == [0.5, 1]


def test_an_outcome_outside_the_unit_interval_is_clipped_and_flagged(call: Any) -> None:
    (result,) = call(OP, {"process": [[1, 2]], "outcome": 3})
    assert (result["reward"], result["rewards"]) == (1, [0.5, 1])
    assert result["details"]["flags"] == ["outcome_clipped"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=2), max_size=6), st.sampled_from([0, 1]))
def test_process_never_pays_for_a_wrong_outcome(call: Any, process: list[list[float]], outcome: int) -> None:
    (result,) = call(OP, {"process": process, "outcome": outcome})
    *turns, last = result["rewards"]
    assert last == outcome
    assert len(turns) == len(process)
    low, high = (0, 1) if outcome else (-1, 0)
    assert all(low <= reward <= high for reward in turns)
