"""Bradley-Terry heads by ridge-penalised logistic regression on feature differences, with Newton's method.

Deterministic: no random start, no step size. Features are standardised by the spread of their differences, and a
block's ``prior`` says how far its weights may go; both are folded into the weights of the head.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Features of preferred minus features of rejected responses [n, F], and what each pair counts [n]."""

    differences: Array
    weights: Array

    @classmethod
    def of(cls, differences: Array, weight: float) -> "Pairs":
        """Pairs that all count the same."""
        return cls(differences, np.full(len(differences), weight))

    def take(self, chosen: NDArray[np.bool_]) -> "Pairs":
        """Some of the pairs."""
        return Pairs(self.differences[chosen], self.weights[chosen])


def bradley_terry(sources: list[Pairs], scale: Array, strength: float, steps: int = 25) -> Array:
    """The weights [F] that minimise sum_i w_i log(1 + exp(-x_i.v)) + strength/2 |v/scale|^2.

    Args:
        sources: pairs to learn from.
        scale: [F] how far a weight may go: prior of its block over the spread of its feature.
        strength: of the penalty; > 0.
    """
    x = np.concatenate([pairs.differences for pairs in sources]) * scale
    w = np.concatenate([pairs.weights for pairs in sources])
    v = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1.0 / (1.0 + np.exp(np.clip(x @ v, -50, 50)))
        gradient = strength * v - x.T @ (w * p)
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x
        hessian[np.diag_indices_from(hessian)] += strength
        step = np.linalg.solve(hessian, gradient)
        v -= step
        if float(np.abs(step).max()) < 1e-9:
            break
    return v * scale


def accuracy(pairs: Pairs, weights: Array) -> float:
    """Share of pairs whose preferred response scores higher."""
    return float((pairs.differences @ weights > 0).mean())
