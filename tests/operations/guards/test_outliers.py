"""guards/outliers: embeddings far from those of a stored set, by Mahalanobis distance."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.errors import NotFound
from reward_gateway.operations.guards import GuardView, Judged
from reward_gateway.operations.guards.outliers import Cloud
from reward_gateway.operations.outcome import ItemError
from reward_gateway.sample import Invalid, RawScores

from .judging import judge

LAWS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
RANDOM = np.random.default_rng(1)
Matrix = np.ndarray[Any, Any]


def embedded(rows: Any, **more: Any) -> RawScores:
    values = np.asarray(rows, dtype=float)
    return RawScores(values, "encoder", "1", np.zeros(len(values), dtype=bool), **more)


def outliers(
    stored: Any, rows: Any, *, size: int | None = None, view: GuardView | None = None, **params: Any
) -> Judged:
    answers = [stored, rows if isinstance(rows, RawScores) else embedded(rows)]
    count = len(rows) if size is None else size
    view = view or GuardView(["r"] * count, [()] * count, {}, {})
    return judge("embedding_outlier", view, answers=answers, encoder="encoder", set="usual", **params)


USUAL = RANDOM.normal(size=(400, 5)) * [1, 2, 3, 4, 5] + [10, 0, 0, 0, -10]


def test_what_lies_among_the_usual_is_let_through_and_what_lies_far_is_flagged() -> None:
    judged = outliers(USUAL.tolist(), [[10, 0, 0, 0, -10], [10, 0, 0, 0, 30], [17, 0, 0, 0, -10], [10, 2, 3, 4, -5]])
    assert not judged.invalid
    assert judged.suspicious.tolist() == [False, True, True, False]


def test_the_share_of_usual_samples_that_are_flagged_is_about_alpha() -> None:
    others = RANDOM.normal(size=(4000, 5)) * [1, 2, 3, 4, 5] + [10, 0, 0, 0, -10]
    share = outliers(USUAL.tolist(), others, alpha=0.05).suspicious.mean()
    assert 0.03 < share < 0.08


def test_a_distance_may_be_named() -> None:
    moments = {"mean": [0, 0], "cov": [[4, 0], [0, 1]]}
    rows = [[2, 0], [0, 2], [3, 0], [0, 1]]
    assert outliers(moments, rows, distance=1.25).suspicious.tolist() == [False, True, True, False]
    # sqrt of the chi-square quantile .999 in two dimensions: sqrt(-2 ln .001) = 3.717
    assert outliers(moments, [[7.4, 0], [7.5, 0]]).suspicious.tolist() == [False, True]


def test_distances_are_those_of_the_shrunk_covariance() -> None:
    points = RANDOM.normal(size=(6, 3)) * [1, 2, 3]
    centred = points - points.mean(axis=0)
    n, d = points.shape
    sample = centred.T @ centred / n
    average = np.trace(sample) / d
    spread = np.sum((sample - average * np.eye(d)) ** 2) / d
    error = np.mean([np.sum((np.outer(row, row) - sample) ** 2) / d for row in centred]) / n
    share = min(error / spread, 1)
    shrunk = (1 - share) * sample + share * average * np.eye(d)
    gap = np.array([1.0, -2.0, 0.5])
    wanted = np.sqrt(gap @ np.linalg.inv(shrunk) @ gap)
    assert Cloud.of_points(points).measure((points.mean(axis=0) + gap)[None]) == pytest.approx([wanted])


@given(st.integers(2, 12), st.integers(1, 8), st.integers(0, 1000))
@LAWS
def test_few_points_in_many_dimensions_have_finite_distances_that_no_shift_turn_or_unit_changes(
    n: int, d: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    points, rows = random.normal(size=(n, d)), random.normal(size=(4, d))
    turn, _ = np.linalg.qr(random.normal(size=(d, d)))
    plain = Cloud.of_points(points).measure(rows)
    assert np.isfinite(plain).all()
    moved = Cloud.of_points(7 * points @ turn + 100).measure(7 * rows @ turn + 100)
    assert moved == pytest.approx(plain, rel=1e-4)
    assert Cloud.of_points(points).measure(points.mean(axis=0)[None]) == pytest.approx([0], abs=1e-6)


@pytest.mark.parametrize(
    "stored",
    [
        [[1.0, 2.0]],
        [[1.0, 2.0]] * 3,
        [],
        [[1.0], [1.0, 2.0]],
        {"mean": [0, 0]},
        {"mean": ["a", "b"], "cov": [[1, 0], [0, 1]]},
        [["a", "b"], ["c", "d"]],
        [[1e308, 0.0], [-1e308, 0.0]],
        "usual",
        {"mean": [0, 0], "cov": [[1]]},
        {"mean": [0, 0], "cov": [[1, 1], [1, 1]]},
    ],
)
def test_a_set_without_a_spread_judges_nobody(stored: Any) -> None:
    with pytest.raises(ItemError):
        Cloud.read(stored)
    judged = outliers(stored, [[1.0, 2.0]])
    assert list(judged.invalid) == [0]
    assert "the set usual" in judged.invalid[0].message


def test_what_cannot_be_judged_is_not_let_through_but_invalid() -> None:
    usual = USUAL.tolist()
    judged = outliers(NotFound("no set"), [[1.0]])
    assert "PUT /v1/state/sets/embeddings" in judged.invalid[0].message
    judged = outliers(usual, [[1.0, 2.0]])
    assert judged.invalid[0].code == "model_error"
    reason = Invalid("model_error", "too long")
    judged = outliers(usual, embedded([[np.nan] * 5, [10, 0, 0, 0, 30]], invalid={0: reason}), size=2)
    assert judged.invalid == {0: reason}
    assert judged.suspicious.tolist() == [False, True]
    view = GuardView(["", "r", "r"], [()] * 3, {}, {}, ["p", None, "p"], without_response=frozenset([0]))
    judged = outliers(usual, [[10, 0, 0, 0, 30]], view=view, with_prompt=True)
    assert {i: reason.param for i, reason in judged.invalid.items()} == {0: "response", 1: "prompt"}
    assert judged.suspicious.tolist() == [False, False, True]


def test_nobody_is_asked_about_what_has_failed_already() -> None:
    view = GuardView(["r"], [()], {}, {}, settled=frozenset([0]))
    judged = judge("embedding_outlier", view, encoder="encoder", set="usual")
    assert judged.suspicious.tolist() == [False]
    assert not judged.invalid
