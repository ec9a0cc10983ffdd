"""Fits a calibration of any method."""

import numpy as np
from scipy.special import expit

from reward_gateway.sample import BoolArray, FloatArray

from ..group_rows import ROUNDING
from .calibration import Calibration, Curve, Method
from .isotonic import fit_isotonic
from .logistic import FitError, fit_platt, fit_temperature
from .lowess import fit_lowess
from .quality import correlate, measure_probabilities


def fit_labels(method: Method, scores: FloatArray, labels: BoolArray) -> Calibration:
    """A probability of label 1, from [n] scores and their labels.

    Raises:
        FitError: the points determine none.
    """
    if labels.all() or not labels.any():
        raise FitError(f"every label is {int(labels[0])}; give points of both labels")
    return _fit_probability(method, scores, labels, "score", len(scores))


def fit_margins(method: Method, margins: FloatArray) -> Calibration:
    """The probability that the first of two is preferred, from [n] margins of pairs whose first was preferred.

    Each pair is also read the other way round, with the margin negated and label 0: p(m) + p(−m) = 1.

    Raises:
        FitError: the pairs determine none.
    """
    labels = np.arange(2 * len(margins)) < len(margins)
    return _fit_probability(method, np.concatenate([margins, -margins]), labels, "margin", len(margins))


def _fit_probability(method: Method, scores: FloatArray, labels: BoolArray, on: str, n: int) -> Calibration:
    _refuse_equal(scores, "margins are all 0" if on == "margin" else "scores are all equal")
    parameters: dict[str, float] = {}
    curve: Curve | None = None
    match method:
        case "platt":
            parameters["a"], parameters["b"] = fit_platt(scores, labels)
            if on == "margin":
                parameters["b"] = 0.0  # by symmetry, without its rounding
        case "temperature":
            parameters["temperature"] = fit_temperature(scores, labels)
        case _:
            curve = fit_isotonic(scores, labels)
    fitted = Calibration.model_validate({"method": method, "on": on, "n": n, "parameters": parameters, "curve": curve})
    quality = {
        "before": measure_probabilities(np.asarray(expit(scores)), labels),
        "after": measure_probabilities(fitted.apply(scores), labels),
    }
    return fitted.model_copy(update={"quality": quality})


def fit_moments(scores: FloatArray) -> Calibration:
    """Mean and sample standard deviation of [n] scores.

    Raises:
        FitError: they are all equal.
    """
    _refuse_equal(scores, "scores are all equal")
    parameters = {"mean": float(scores.mean()), "std": float(scores.std(ddof=1))}
    return Calibration(method="moments", n=len(scores), parameters=parameters)


def fit_length(lengths: FloatArray, scores: FloatArray, fraction: float) -> Calibration:
    """E[score | length] of [n] points."""
    curve = fit_lowess(lengths, scores, fraction)
    left = scores - curve.at(lengths)
    quality = {
        "before": {"correlation": correlate(scores, lengths), "std": float(scores.std())},
        "after": {"correlation": correlate(left, lengths), "std": float(left.std())},
    }
    return Calibration(method="length", n=len(scores), parameters={"fraction": fraction}, curve=curve, quality=quality)


def _refuse_equal(scores: FloatArray, what: str) -> None:
    if float(np.ptp(scores)) <= ROUNDING * max(1.0, float(np.abs(scores).max())):
        raise FitError(f"the {what}, which says nothing of labels or spread; give points of different scores")
