"""Fits of a sigmoid: Platt's, and a temperature alone."""

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit

from reward_gateway.sample import BoolArray, FloatArray


class FitError(ValueError):
    """These points determine no such fit; the message says why and what to do."""


def fit_platt(scores: FloatArray, labels: BoolArray) -> tuple[float, float]:
    """(a, b) of σ(a s + b) by maximum likelihood against Platt's smoothed targets. [n], [n] -> a, b.

    Targets: (n₊ + 1) / (n₊ + 2) for label 1 and 1 / (n₋ + 2) for label 0, so that a finite fit exists even where scores
    separate the labels (Platt 1999; Lin, Lin and Weng 2007). Scores that are not all equal.
    """
    positive = int(labels.sum())
    targets = np.where(labels, (positive + 1.0) / (positive + 2.0), 1.0 / (len(labels) - positive + 2.0))
    # Standardised, so that the problem is equally well-conditioned for scores of any size.
    centre, spread = float(scores.mean()), float(scores.std())
    design = np.stack([(scores - centre) / spread, np.ones(len(scores))])

    def loss(weights: FloatArray) -> float:
        logits = weights @ design
        return float(np.mean(np.logaddexp(0.0, logits) - targets * logits))

    def slope(weights: FloatArray) -> FloatArray:
        return np.asarray(design @ (expit(weights @ design) - targets) / len(scores))

    def curvature(weights: FloatArray) -> FloatArray:
        likely = expit(weights @ design)
        return np.asarray((design * (likely * (1.0 - likely))) @ design.T / len(scores))

    found = minimize(loss, np.zeros(2), jac=slope, hess=curvature, method="trust-exact", options={"gtol": 1e-12})
    a = float(found.x[0]) / spread
    return a, float(found.x[1]) - a * centre


def fit_temperature(scores: FloatArray, labels: BoolArray) -> float:
    """T > 0 of σ(s / T) by maximum likelihood (Guo et al. 2017). [n], [n] -> T.

    Raises:
        FitError: the likelihood grows without end as T falls to 0 or rises.
    """
    largest = float(np.abs(scores).max())
    if largest == 0.0:
        raise FitError("all scores are 0, and a temperature does not move them; use platt")
    signed = np.where(labels, scores, -scores) / largest
    if signed.min() >= 0.0:
        raise FitError("every score has the sign of its label, which fits any temperature near 0; use platt")
    if signed.sum() <= 0.0:
        raise FitError(
            "scores above 0 do not go with label 1, which no temperature changes; use platt, or check labels"
        )

    def slope(inverse: float) -> float:
        return float(signed @ expit(-inverse * signed))

    high = 1.0
    while slope(high) > 0.0:
        high *= 2.0
    return largest / float(brentq(slope, 0.0, high, xtol=1e-300, rtol=1e-14))
