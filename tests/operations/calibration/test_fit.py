"""operations/calibration: the fits, each beside an independent way to the same numbers."""

import math
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.calibration.fit import fit_labels, fit_length, fit_margins, fit_moments
from reward_gateway.operations.calibration.isotonic import fit_isotonic
from reward_gateway.operations.calibration.logistic import FitError, fit_platt, fit_temperature
from reward_gateway.operations.calibration.lowess import fit_lowess
from reward_gateway.operations.calibration.quality import correlate, measure_probabilities
from reward_gateway.sample import BoolArray, FloatArray
from scipy.optimize import minimize
from scipy.special import expit

numbers = st.floats(-50, 50, allow_subnormal=False).map(lambda x: round(x, 3))
labelled = st.lists(st.tuples(numbers, st.booleans()), min_size=4, max_size=40)


def split(points: list[tuple[float, bool]]) -> tuple[FloatArray, BoolArray]:
    return np.array([score for score, _ in points]), np.array([label for _, label in points])


def draw(n: int = 400, seed: int = 0) -> tuple[FloatArray, BoolArray]:
    """Scores whose right probability is σ(1.3 s − 3)."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(3.0, 2.0, n)
    return scores, rng.random(n) < expit(1.3 * scores - 3.0)


class TestPlatt:
    def test_is_what_an_optimiser_without_derivatives_finds(self) -> None:
        scores, labels = draw()
        positive = int(labels.sum())
        targets = np.where(labels, (positive + 1) / (positive + 2), 1 / (len(labels) - positive + 2))

        def loss(weights: FloatArray) -> float:
            likely = expit(weights[0] * scores + weights[1])
            return float(-np.sum(targets * np.log(likely) + (1 - targets) * np.log1p(-likely)))

        found = minimize(
            loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 10_000}
        )
        assert fit_platt(scores, labels) == pytest.approx(found.x, abs=1e-6)

    def test_four_points_are_solved_by_hand(self) -> None:
        # symmetric about 1.5; with u = e^a: targets 3/4 at 2 and 3, so that σ(a/2) + 3 σ(3a/2) = 4 · 3/4
        a, b = fit_platt(np.array([0.0, 1.0, 2.0, 3.0]), np.array([False, False, True, True]))
        assert b == pytest.approx(-1.5 * a)
        assert expit(a / 2) + 3 * expit(1.5 * a) == pytest.approx(3.0)

    @given(labelled)
    @settings(max_examples=60, deadline=None)
    def test_meets_the_targets_on_average_and_weighted_by_the_score(self, points: list[tuple[float, bool]]) -> None:
        scores, labels = split(points)
        if np.ptp(scores) == 0 or labels.all() or not labels.any():
            return
        a, b = fit_platt(scores, labels)
        positive = labels.sum()
        targets = np.where(labels, (positive + 1) / (positive + 2), 1 / (len(labels) - positive + 2))
        left = expit(a * scores + b) - targets
        assert abs(left.mean()) < 1e-7
        assert abs((left * (scores - scores.mean())).mean()) / scores.std() < 1e-7

    def test_does_not_depend_on_the_size_of_the_scores(self) -> None:
        scores, labels = draw()
        a, b = fit_platt(scores, labels)
        for size in (1e-50, 1e100):
            scaled = fit_platt(scores * size, labels)
            assert (scaled[0] * size, scaled[1]) == pytest.approx((a, b), rel=1e-9)


class TestTemperature:
    def test_is_where_the_likelihood_is_greatest(self) -> None:
        scores, labels = draw()
        scores = scores - 2.3

        def loss(temperature: float) -> float:
            return float(np.sum(np.logaddexp(0.0, np.where(labels, -scores, scores) / temperature)))

        best = fit_temperature(scores, labels)
        assert all(loss(best) < loss(best * factor) for factor in (0.9, 0.999, 1.001, 1.1))
        assert fit_temperature(scores * 1e100, labels) == pytest.approx(best * 1e100)

    @pytest.mark.parametrize(
        ("scores", "labels", "why"),
        [
            ([-1.0, 2.0], [False, True], "sign of its label"),
            ([1.0, -2.0], [False, True], "do not go with label 1"),
            ([0.0, 0.0], [False, True], "all scores are 0"),
        ],
    )
    def test_is_refused_where_none_fits_best(self, scores: list[float], labels: list[bool], why: str) -> None:
        with pytest.raises(FitError, match=why):
            fit_temperature(np.array(scores), np.array(labels))


class TestIsotonic:
    @given(labelled)
    @settings(max_examples=100, deadline=None)
    def test_is_the_largest_least_mean_of_intervals(self, points: list[tuple[float, bool]]) -> None:
        """Robertson, Wright and Dykstra: max over starts up to x, of min over ends from x, of the mean between."""
        scores, labels = split(points)
        x = np.unique(scores)
        curve = fit_isotonic(scores, labels)
        for at in x:
            means = [[labels[(scores >= low) & (scores <= high)].mean() for high in x[x >= at]] for low in x[x <= at]]
            assert curve.at(np.array([at]))[0] == pytest.approx(max(map(min, means)))

    @given(labelled, st.lists(numbers, min_size=2))
    def test_rises_within_0_and_1(self, points: list[tuple[float, bool]], asked: list[float]) -> None:
        found = fit_isotonic(*split(points)).at(np.sort(asked))
        assert (np.diff(found) >= -1e-12).all()
        assert ((found >= 0) & (found <= 1)).all()

    def test_is_linear_between_blocks_and_flat_outside(self) -> None:
        curve = fit_isotonic(np.array([0.0, 1.0, 2.0, 4.0]), np.array([False, True, False, True]))
        assert (curve.x, curve.y) == ((0.0, 1.0, 2.0, 4.0), (0.0, 0.5, 0.5, 1.0))
        assert curve.at(np.array([-9.0, 0.5, 3.0, 9.0])).tolist() == [0.0, 0.25, 0.75, 1.0]


def slow_lowess(x: FloatArray, y: FloatArray, fraction: float) -> FloatArray:
    """Cleveland's LOWESS, point by point, as the paper writes it."""
    n = len(x)
    near = max(2, int(fraction * n + 1e-10))
    trust = np.ones(n)
    fitted = np.zeros(n)
    for _ in range(4):
        for i in range(n):
            distances = np.abs(x - x[i])
            radius = np.sort(distances)[near - 1]
            weights = trust * np.where(distances < radius, (1 - (distances / radius) ** 3) ** 3, 0.0)
            design = np.stack([np.ones(n), x - x[i]], axis=1) * np.sqrt(weights)[:, None]
            fitted[i] = np.linalg.lstsq(design, y * np.sqrt(weights), rcond=None)[0][0]
        errors = np.abs(y - fitted)
        trust = np.where(errors < 6 * np.median(errors), (1 - (errors / (6 * np.median(errors))) ** 2) ** 2, 0.0)
    return fitted


class TestLowess:
    @pytest.mark.parametrize("fraction", [0.3, 2 / 3, 1.0])
    def test_is_clevelands_at_every_point(self, fraction: float) -> None:
        rng = np.random.default_rng(1)
        x = np.sort(rng.permutation(1000)[:60]).astype(np.float64)
        y = np.sin(x / 200) + rng.normal(0, 0.2, 60)
        y[7] += 8.0  # which the later rounds leave out
        assert fit_lowess(x, y, fraction).at(x) == pytest.approx(slow_lowess(x, y, fraction), abs=1e-9)

    def test_of_many_points_lies_near_the_truth(self) -> None:
        rng = np.random.default_rng(2)
        x = rng.integers(1, 2000, 20_000).astype(np.float64)
        curve = fit_lowess(x, np.sqrt(x) + rng.normal(0, 1, len(x)), 0.2)
        assert len(curve.x) == 500
        asked = np.linspace(300, 1800, 50)
        assert curve.at(asked) == pytest.approx(np.sqrt(asked), abs=0.3)

    def test_of_a_line_is_the_line_and_flat_outside(self) -> None:
        x = np.arange(10.0)
        curve = fit_lowess(x, 2 * x - 3, 2 / 3)
        assert curve.at(np.array([-5.0, 4.5, 50.0])) == pytest.approx([-3.0, 6.0, 15.0])

    def test_of_one_length_is_one_number(self) -> None:
        curve = fit_lowess(np.array([5.0] * 4), np.array([1.0, 2.0, 2.0, 3.0]), 2 / 3)
        assert curve.at(np.array([0.0, 5.0, 9.0])) == pytest.approx([2.0] * 3)

    @given(
        st.lists(st.tuples(st.integers(0, 30), numbers), min_size=2, max_size=30),
        st.floats(-100, 100),
        st.floats(0.01, 1),
    )
    @settings(max_examples=60, deadline=None)
    def test_is_finite_and_shifts_with_the_scores(
        self, points: list[tuple[int, float]], shift: float, fraction: float
    ) -> None:
        x, y = np.array([float(a) for a, _ in points]), np.array([b for _, b in points])
        curve = fit_lowess(x, y, fraction)
        assert np.isfinite(curve.y).all()
        assert fit_lowess(x, y + shift, fraction).at(x) == pytest.approx(curve.at(x) + shift, abs=1e-4)


class TestFits:
    @pytest.mark.parametrize("method", ["platt", "isotonic", "temperature"])
    def test_pairs_read_both_ways_give_probabilities_that_add_to_one(self, method: Any) -> None:
        margins = np.random.default_rng(3).normal(0.7, 1.0, 200)
        fitted = fit_margins(method, margins)
        assert (fitted.on, fitted.n) == ("margin", 200)
        asked = np.linspace(-3, 3, 31)
        likely = fitted.apply(asked)
        assert likely + fitted.apply(-asked) == pytest.approx(1.0)
        assert (np.diff(likely) >= 0).all()
        assert fitted.parameters.get("b", 0.0) == 0.0

    def test_quality_is_told_before_and_after(self) -> None:
        quality = fit_labels("platt", *draw()).quality
        for name in ("log_loss", "brier", "ece"):
            assert cast("float", quality["after"][name]) < cast("float", quality["before"][name])
        lengths = np.arange(1.0, 301.0)
        quality = fit_length(lengths, lengths / 50 + np.random.default_rng(4).normal(0, 1, 300), 2 / 3).quality
        assert cast("float", quality["before"]["correlation"]) > 0.8
        assert abs(cast("float", quality["after"]["correlation"])) < 0.1

    def test_moments_are_mean_and_sample_standard_deviation(self) -> None:
        fitted = fit_moments(np.array([1.0, 2.0, 3.0]))
        assert fitted.parameters == {"mean": 2.0, "std": 1.0}
        assert fitted.apply(np.array([4.5])) == pytest.approx([2.5], rel=1e-5)

    def test_what_determines_nothing_is_refused(self) -> None:
        with pytest.raises(FitError, match="both labels"):
            fit_labels("platt", np.array([1.0, 2.0]), np.array([True, True]))
        with pytest.raises(FitError, match="all equal"):
            fit_labels("isotonic", np.array([0.1 + 0.2, 0.3]), np.array([True, False]))
        with pytest.raises(FitError, match="margins are all 0"):
            fit_margins("platt", np.zeros(3))
        with pytest.raises(FitError, match="all equal"):
            fit_moments(np.ones(4))


def test_scikit_learn_gives_the_same() -> None:
    """Version 1.9.1: ``calibration._sigmoid_calibration`` (its signs turned) and ``isotonic.IsotonicRegression``."""
    scores = (
        *(1.0, 1.6, 0.45, -0.78, 0.09, -0.98, 1.12, 3.68, 0.02, -0.24, 1.98, 1.71, 1.21, -0.86, 0.94),
        *(2.39, -1.69, 0.08, -2.8, -1.58, -2.68, 0.53, -1.53, 1.54, 1.31, 0.63, -4.03, -0.08, 0.9, 1.23),
    )
    right = (1.0, 1.6, 0.45, 1.12, 3.68, -0.24, 1.98, 1.21, 2.39, -1.53, 1.54, 1.31, 0.63)
    labels = np.isin(scores, right)
    assert fit_platt(np.array(scores), labels) == pytest.approx((0.7990326, -0.5445780), abs=1e-6)
    found = fit_isotonic(np.array(scores), labels).at(np.arange(-2.0, 3.0, 0.5))
    assert found == pytest.approx([0, 2 / 9, 2 / 9, 2 / 9, 2 / 9, 0.4, 0.75, 0.75, 1, 1])


def test_the_measures_are_those_of_their_definitions() -> None:
    measured = measure_probabilities(np.array([0.8, 0.6, 0.3]), np.array([True, False, False]))
    assert measured["log_loss"] == pytest.approx(-(math.log(0.8) + math.log(0.4) + math.log(0.7)) / 3)
    assert measured["brier"] == pytest.approx((0.04 + 0.36 + 0.09) / 3)
    assert measured["ece"] == pytest.approx((0.2 + 0.6 + 0.3) / 3)
    assert measure_probabilities(np.array([1.0]), np.array([False]))["log_loss"] is None
    assert correlate(np.array([1.0, 2.0, 4.0]), np.array([2.0, 4.0, 8.0])) == pytest.approx(1.0)
    assert correlate(np.ones(3), np.arange(3.0)) is None
