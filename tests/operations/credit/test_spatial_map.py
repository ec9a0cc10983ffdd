"""credit/spatial_map (2510.12784)."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "credit/spatial_map"


def item(score: float, *boxes: tuple[list[float], float], shape: tuple[int, int] = (4, 4)) -> dict[str, Any]:
    return {"global": score, "regions": [{"bbox": b, "score": s} for b, s in boxes], "shape": list(shape)}


@pytest.mark.parametrize(
    ("variant", "score", "inside"),
    [("released", 0.9, 0.9405), ("paper", 0.9, 0.891), ("released", -0.5, 0.495), ("paper", -0.5, -0.495)],
)
def test_the_worked_examples(call: Any, variant: str, score: float, inside: float) -> None:
    (result,) = call(OP, item(0.98, ([0, 0, 2, 2], score)), variant=variant)
    weights = np.array(result["rewards"])
    assert weights[:2, :2] == pytest.approx(np.full((2, 2), inside))
    assert weights[2:, :] == pytest.approx(np.full((2, 4), 0.495))


def test_boxes_are_x_first_clamped_and_skipped_when_empty(call: Any) -> None:
    boxes: list[tuple[list[float], float]] = [([3, 0, 9, 1], 1.0), ([2, 2, 2, 4], 1.0)]
    boxes += [([7, 7, 9, 9], 1.0), ([1, 2], 1.0)]
    (result,) = call(OP, item(1.0, *boxes, shape=(2, 4)), variant="released")
    assert result["rewards"] == [[0.5, 0.5, 0.5, 1.0], [0.5] * 4]
    assert result["details"]["skipped"] == 3


def test_of_the_paper_the_last_box_wins_unless_the_greatest_shall(call: Any) -> None:
    overlapping = item(1.0, ([0, 0, 2, 1], 0.8), ([1, 0, 3, 1], 0.2), shape=(1, 3))
    assert call(OP, overlapping)[0]["rewards"] == [[0.8, 0.2, 0.2]]
    assert call(OP, overlapping, overlap="max")[0]["rewards"] == [[0.8, 0.8, 0.2]]


def test_of_the_released_code_the_greatest_box_wins_unless_the_last_shall(call: Any) -> None:
    twice = item(1.0, ([0, 0, 1, 1], 0.9), ([0, 0, 1, 1], 0.2), shape=(1, 1))
    assert call(OP, twice, variant="released")[0]["rewards"] == [[pytest.approx(0.95)]]
    assert call(OP, twice, variant="released", overlap="last")[0]["rewards"] == [[pytest.approx(0.6)]]


def test_a_missing_global_score_counts_as_zero(call: Any) -> None:
    (result,) = call(OP, {"shape": [1, 2]})
    assert result["rewards"] == [[0.25, 0.25]]
    assert call(OP, {"shape": [1, 1], "global": 1.0}, background=0.0)[0]["rewards"] == [[0.0]]


def test_scores_and_shapes_out_of_range_are_errors(call: Any) -> None:
    for broken in call(
        OP,
        item(1.5),
        item(0.5, ([0, 0, 1, 1], 3.0)),
        {"shape": [0, 4]},
        {"shape": [4]},
        {"shape": [4096, 4096]},
    ):
        assert broken["error"]["code"] == "invalid_field"


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-1, 1),
    st.lists(st.tuples(st.lists(st.floats(-9, 9), min_size=4, max_size=4), st.floats(-1, 1)), max_size=4),
)
def test_bounds(call: Any, score: float, boxes: list[tuple[list[float], float]]) -> None:
    for variant, low in (("paper", -1), ("released", 0)):
        (result,) = call(OP, item(score, *boxes), variant=variant)
        weights = np.array(result["rewards"])
        assert weights.shape == (4, 4)
        assert (low <= weights).all()
        assert (weights <= 1).all()
