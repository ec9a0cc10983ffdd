"""Locally weighted regression (LOWESS, Cleveland 1979): what a score is expected to be at a length."""

import numpy as np

from reward_gateway.sample import FloatArray

from ..group_rows import ROUNDING
from .calibration import Curve

MOST_CORNERS = 500
"""Lengths at which the regression is done; between them the curve is linear."""

ROUNDS = 3
"""How often points far from the curve are given less weight, and the curve is fitted again."""

FLAT = 1e-3
"""Share of the whole range below which the lengths of a window count as equal: their mean is taken, without a slope."""


def fit_lowess(lengths: FloatArray, scores: FloatArray, fraction: float) -> Curve:
    """The curve of E[score | length]. [n], [n] -> curve over the range of lengths.

    At each length a line is fitted to the nearest ``fraction`` of the points, weighted by (1 − (d/h)³)³ with h the
    distance of the farthest of them; three rounds more weigh each point by (1 − (e / 6 median|e|)²)², e its distance
    from the curve.
    """
    order = np.argsort(lengths, kind="stable")
    x, y = lengths[order], scores[order]
    distinct = np.unique(x)
    places = np.unique(np.linspace(0, len(distinct) - 1, min(len(distinct), MOST_CORNERS)).round().astype(np.intp))
    corners = distinct[places]
    near = min(len(x), max(2, int(fraction * len(x) + 1e-10)))
    rounding = ROUNDING * max(1.0, float(np.abs(y).max()))
    trust = np.ones(len(x))
    fitted = _fit_lines(corners, x, y, near, trust)
    for _ in range(ROUNDS):
        errors = np.abs(y - np.interp(x, corners, fitted))
        scale = 6.0 * float(np.median(errors))
        if scale <= max(1e-7 * float(errors.mean()), rounding):
            break
        trust = np.clip(1.0 - (errors / scale) ** 2, 0.0, 1.0) ** 2
        fitted = _fit_lines(corners, x, y, near, trust)
    return Curve(x=tuple(corners.tolist()), y=tuple(fitted.tolist()))


def _fit_lines(corners: FloatArray, x: FloatArray, y: FloatArray, near: int, trust: FloatArray) -> FloatArray:
    """[corners] values of the lines through the ``near`` points nearest to each; x ascending."""
    # The window moves up by one as long as the point that comes in is nearer than the one that goes.
    starts = np.searchsorted(0.5 * x[: len(x) - near] + 0.5 * x[near:], corners, side="left")
    span = x[-1] - x[0]
    return np.array(
        [_fit_line(at, x, y, int(start), near, trust, span) for at, start in zip(corners, starts, strict=True)]
    )


def _fit_line(at: float, x: FloatArray, y: FloatArray, start: int, near: int, trust: FloatArray, span: float) -> float:
    window = slice(start, start + near)
    radius = max(at - x[window.start], x[window.stop - 1] - at)
    if radius <= 0.0:  # more points of this length than the window has room for: their mean, of all of them
        window = slice(int(np.searchsorted(x, at, side="left")), int(np.searchsorted(x, at, side="right")))
        nearness = np.ones(window.stop - window.start)
    else:
        nearness = (1.0 - np.minimum(np.abs(x[window] - at) / radius, 1.0) ** 3) ** 3
    weights = nearness * trust[window]
    if weights.sum() <= 0.0:  # no point near by is trusted: all are
        weights = nearness
    weights = weights / weights.sum()
    shifted, values = x[window] - at, y[window]
    centre, level = float(weights @ shifted), float(weights @ values)
    spread = float(weights @ (shifted - centre) ** 2)
    if spread <= (FLAT * span) ** 2:
        return level
    return level - centre * float(weights @ ((shifted - centre) * values)) / spread
