"""score/critique_f1 (2601.07349)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "score/critique_f1"
COUNTS = {"human_points": 4, "model_points": 5, "matched": 3}


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {**COUNTS, "outcome": 1}, **{"lambda": 1})
    assert result["details"]["f1"] == pytest.approx(0.6667, abs=1e-4)
    assert result["details"]["precision"] == 0.6
    assert result["details"]["recall"] == 0.75
    assert result["reward"] == pytest.approx(1.6667, abs=1e-4)


def test_lambda_weighs_the_process_and_a_wrong_outcome_keeps_it(call: Any) -> None:
    assert call(OP, {**COUNTS, "outcome": 0}, **{"lambda": 0.5})[0]["reward"] == pytest.approx(1 / 3)


def test_no_arguments_on_a_side_or_on_both_earn_nothing(call: Any) -> None:
    for human, model in ((4, 0), (0, 5), (0, 0)):
        (result,) = call(OP, {"human_points": human, "model_points": model, "matched": 0, "outcome": 1})
        assert result["reward"] == 1
        assert result["details"]["f1"] == 0


def test_a_meta_rm_may_stand_in_and_nothing_leaves_the_process_out(call: Any) -> None:
    meta, nothing = call(OP, {"outcome": 1, "process": 0.4}, {"outcome": 1})
    assert (meta["reward"], meta["details"]["process_source"]) == (1.4, "meta_rm")
    assert (nothing["reward"], nothing["details"]["process_source"]) == (1, "none")
    assert nothing["details"]["f1"] is None


def test_an_extractor_counts_the_arguments_of_critiques(call: Any) -> None:
    item = {"outcome": 1, "human_critique": "A is clear.", "model_critique": "A is clear and short."}
    good, bad = call(
        OP,
        item,
        item,
        extractor="j",
        answers=[['So: {"human_points": 1, "model_points": 2, "matched": 1}', '{"human_points": 1}']],
    )
    assert good["details"]["f1"] == pytest.approx(2 / 3)
    assert bad["error"]["code"] == "judge_error"


def test_counts_that_cannot_be_are_errors(call: Any) -> None:
    for broken in call(
        OP,
        {**COUNTS, "matched": 5, "outcome": 1},
        {**COUNTS, "matched": -1, "outcome": 1},
        {"human_points": 4, "outcome": 1},
    ):
        assert broken["error"]["code"] == "invalid_field"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_the_harmonic_mean_of_precision_and_recall_symmetric_in_the_sides(call: Any, h: int, m: int, k: int) -> None:
    matched = min(h, m, k)
    one, other = call(
        OP,
        {"human_points": h, "model_points": m, "matched": matched, "outcome": 0},
        {"human_points": m, "model_points": h, "matched": matched, "outcome": 0},
    )
    p, r = one["details"]["precision"], one["details"]["recall"]
    assert one["reward"] == other["reward"] == pytest.approx(2 * p * r / (p + r) if p + r else 0)
