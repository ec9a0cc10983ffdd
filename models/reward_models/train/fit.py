"""Bradley-Terry heads by ridge-penalised logistic regression on feature differences, with Newton's method, or with
L-BFGS where there are too many features for a Hessian.

Deterministic: no random start, no step size. Features are standardised by the spread of their differences, and a
block's ``prior`` says how far its weights may go; both are folded into the weights of the head.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEPS = 25


@dataclass(frozen=True, slots=True)
class Pairs:
    """Features of preferred minus features of rejected responses [n, F], and what each pair counts [n]."""

    differences: Array
    weights: Array

    @classmethod
    def of(cls, differences: Array, weight: float) -> "Pairs":
        """Pairs that all count the same."""
        return cls(differences, np.full(len(differences), weight))

    def select_pairs(self, chosen: NDArray[np.bool_]) -> "Pairs":
        """Some of the pairs."""
        return Pairs(self.differences[chosen], self.weights[chosen])


def fit_bradley_terry(sources: list[Pairs], scale: Array, strength: float, hessian: bool = True) -> Array:
    """The weights [F] that minimise sum_i w_i log(1 + exp(-x_i.v)) + strength/2 |v/scale|^2.

    Args:
        sources: pairs to learn from.
        scale: [F] how far a weight may go: prior of its block over the spread of its feature.
        strength: of the penalty; > 0.
        hessian: Newton's method; L-BFGS without it, for thousands of features.
    """
    x = np.concatenate([pairs.differences for pairs in sources]) * scale
    w = np.concatenate([pairs.weights for pairs in sources])
    if not hessian:
        return quasi_newton(x, w, strength) * scale
    v = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1.0 / (1.0 + np.exp(np.clip(x @ v, -50, 50)))
        gradient = strength * v - x.T @ (w * p)
        curvature = (x * (w * p * (1 - p))[:, None]).T @ x
        curvature[np.diag_indices_from(curvature)] += strength
        step = np.linalg.solve(curvature, gradient)
        v -= step
        if float(np.abs(step).max()) < 1e-9:
            break
    return v * scale


def quasi_newton(x: Array, w: Array, strength: float) -> Array:
    """The same minimum by L-BFGS, over scaled features [n, F]."""
    from scipy.optimize import fmin_l_bfgs_b

    def loss(v: Array) -> tuple[float, Array]:
        margins = x @ v
        p = 1.0 / (1.0 + np.exp(np.clip(margins, -50, 50)))
        return float(w @ np.logaddexp(0, -margins) + strength / 2 * v @ v), strength * v - x.T @ (w * p)

    found, _, _ = fmin_l_bfgs_b(loss, np.zeros(x.shape[1]), factr=1e6, pgtol=1e-3, maxiter=2000, maxfun=3000)
    return np.asarray(found, np.float64)


def pair_accuracy(pairs: Pairs, weights: Array) -> float:
    """Share of pairs whose preferred response scores higher."""
    return float((pairs.differences @ weights > 0).mean())
