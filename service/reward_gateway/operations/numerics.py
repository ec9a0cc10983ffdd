"""Small numerics that several families share, stable for any size of input."""

from collections.abc import Sequence

import numpy as np

from reward_gateway.sample import FloatArray

from .group_rows import ROUNDING
from .groups import Groups, zscore
from .outcome import ItemError


def softplus(x: FloatArray | float) -> FloatArray:
    """log(1 + exp(x)); the loss -log σ(-x)."""
    return np.asarray(np.logaddexp(0.0, x))


def standardized(values: FloatArray, ddof: int = 0) -> FloatArray:
    """(x - mean) / std of a vector; all zeros where the values are equal up to rounding or too few. [n] -> [n]."""
    if len(values) <= ddof:
        return np.zeros(len(values))
    # Halves, so that not even the largest numbers overflow in their difference.
    shifted = 0.5 * values - 0.5 * values[0]
    scale = np.abs(shifted).max()
    if scale <= 0.5 * ROUNDING * max(1.0, float(np.abs(values).max())):
        return np.zeros(len(values))
    deviations = shifted / scale
    deviations = deviations - deviations.mean()
    return np.asarray(deviations / np.sqrt((deviations**2).sum() / (len(values) - ddof)))


def standardized_within(values: FloatArray, groups: Groups) -> FloatArray:
    """:func:`standardized` for every group of a flat array at once (population std). [n] -> [n]."""
    return zscore(values, groups, eps=0.0, spread="population")


def return_to_go(rewards: FloatArray, gamma: float = 1.0) -> FloatArray:
    """G_t = sum over k >= t of gamma^(k-t) r_k. [n] -> [n]."""
    returns: list[float] = []
    running = 0.0
    for reward in reversed(rewards.tolist()):
        running = reward + gamma * running
        returns.append(running)
    return np.array(returns[::-1], dtype=np.float64)


def split_as(flat: FloatArray, lists: Sequence[FloatArray]) -> list[FloatArray]:
    """A flat array in pieces as long as these lists."""
    return np.split(flat, np.cumsum([len(own) for own in lists]))[: len(lists)]


def require_finite(values: FloatArray, param: str) -> FloatArray:
    """The values as they are.

    Args:
        param: the field whose numbers they are made of.

    Raises:
        ItemError: one of them ran over.
    """
    if not np.isfinite(values).all():
        raise ItemError(f"the numbers of {param} are so large that differences of them have no value", param=param)
    return values


def unit(vector: FloatArray, what: str) -> FloatArray:
    """The vector divided by its length, without overflow.

    Raises:
        ItemError: its length is 0, so that it has no direction.
    """
    scale = float(np.abs(vector).max()) if len(vector) else 0.0
    if scale == 0.0:
        raise ItemError(f"{what} has length 0, and no direction to compare")
    scaled = vector / scale
    return np.asarray(scaled / np.sqrt(scaled @ scaled))


def cosine(a: Sequence[float] | FloatArray, b: Sequence[float] | FloatArray, names: tuple[str, str]) -> float:
    """Cosine of two vectors, in [-1, 1].

    Raises:
        ItemError: they are of unequal length, or one has length 0.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(left) != len(right):
        raise ItemError(f"{names[0]} has {len(left)} numbers and {names[1]} has {len(right)}; they must agree")
    return float(np.clip(unit(left, names[0]) @ unit(right, names[1]), -1.0, 1.0))
