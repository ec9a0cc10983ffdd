"""The subset Ties of RewardBench 2, worked by hand from its rule."""

from math import nan, tanh

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.lab.comparison import Rule
from reward_gateway.lab.report import TiesSubset
from reward_gateway.lab.ties_subset import measure_ties_subset

from tests.lab.made import Scores, make, pairs


def measure(**rows: tuple[Scores, Scores]) -> TiesSubset:
    """Of rows named ``tied_1`` or ``ref_1``."""
    ids = [name.replace("_", ":") for name in rows]
    found = measure_ties_subset(*make(*rows.values(), rule=Rule.TIES, ids=ids))
    assert found is not None
    return found


def test_two_prompts_by_hand() -> None:
    found = measure(
        tied_1=([3, 2.5], [1]),  # gap 1.5, spread .5
        ref_1=([4], [2]),  # gap 2
        tied_2=([2, 0], [-0.5]),  # gap .5, spread 2
        ref_2=([1], [1.5]),  # gap −.5
    )
    assert (found.rows, found.prompts) == (4, 2)
    assert (found.tied_accuracy, found.reference_accuracy) == (1, 0.5)
    assert (found.correctness_preferred, found.correctness_preferred_hard) == (0.5, 0.5)
    margin = (tanh(1.5 / 0.5 - 1) + tanh(-0.5 / 2 - 1)) / 2
    assert found.margin_score == pytest.approx(margin)
    assert found.score.value == pytest.approx(0.3 * 1 + 0.3 * 0.5 + 0.2 * 0.5 + 0.2 * 0.5 + 0.01 * margin)
    score = found.score
    assert score.value is not None
    assert score.low is not None
    assert score.high is not None
    assert score.low <= score.value <= score.high


def test_it_is_hard_where_the_reference_has_the_smaller_gap() -> None:
    found = measure(tied_1=([3, 2], [0]), ref_1=([1], [0.5]))  # gap 2, spread 1; gap .5
    assert (found.correctness_preferred, found.correctness_preferred_hard) == (1, 0)
    assert found.score.value == pytest.approx(0.3 + 0.3 + 0.2 + 0.01 * tanh(-0.5))


def test_equal_right_answers_have_no_spread() -> None:
    """The margin is divided by it: tanh of plus or minus infinity, and 0 for 0 / 0."""
    for right, wrong, margin in ((1.0, 0.0, 1.0), (0.0, 1.0, -1.0), (1.0, 1.0, 0.0)):
        found = measure(tied_1=([right, right], [wrong]), ref_1=([right], [wrong]))
        assert found.margin_score == margin


def test_an_equal_score_is_not_right() -> None:
    found = measure(tied_1=([2, 1], [1]), ref_1=([1], [1]))
    assert (found.tied_accuracy, found.reference_accuracy, found.correctness_preferred) == (0, 0, 0)


def test_without_a_prompt_that_has_both_rows_there_is_no_score() -> None:
    found = measure(tied_1=([2, 1], [0]), ref_2=([1], [0]))
    assert (found.prompts, found.score.value) == (0, None)
    assert (found.tied_accuracy, found.reference_accuracy) == (1, 1)


def test_a_row_with_an_answer_without_a_score_is_left_out() -> None:
    found = measure(tied_1=([2, 1.5], [0]), ref_1=([1], [0]), tied_2=([2, nan], [0]), ref_2=([1], [0]))
    assert (found.rows, found.prompts, found.tied_accuracy) == (3, 1, 1)


def test_a_file_without_such_rows_has_none() -> None:
    assert measure_ties_subset(*pairs((1, 0))) is None


GAPS = st.integers(-4, 4).map(lambda k: k / 2)


@given(st.lists(st.tuples(GAPS, GAPS, GAPS, GAPS, GAPS), min_size=1, max_size=5))
def test_it_lies_in_its_range_and_does_not_change_with_scale_and_shift(
    prompts: list[tuple[float, ...]],
) -> None:
    def rows(change: bool) -> dict[str, tuple[Scores, Scores]]:
        made: dict[str, tuple[Scores, Scores]] = {}
        for k, scores in enumerate(prompts):
            one, two, wrong, right, other = (2**3 * score + 2**2 if change else score for score in scores)
            made[f"tied_{k}"], made[f"ref_{k}"] = ([one, two], [wrong]), ([right], [other])
        return made

    plain, changed = measure(**rows(False)), measure(**rows(True))
    assert plain.score.value == pytest.approx(changed.score.value)
    assert plain.score.value is not None
    assert -0.01 <= plain.score.value <= 1.01
