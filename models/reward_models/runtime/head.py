"""A trained head: a small multilayer perceptron over frozen features, stored as arrays in an ``.npz``.

Layers are ``w0, b0, w1, b1 …`` with GELU between them; standardisation of the features is folded into the first.
The axes that features project onto, if any, are stored in the same file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Axes:
    """Directions in which prompts and responses differ most, in the highest layer: means [384], directions [384, k]."""

    prompt_mean: FloatArray
    prompt_axes: FloatArray
    response_mean: FloatArray
    response_axes: FloatArray


class Head:
    """Features [n, F] -> scores [n, K].

    Computed in float64: in float32 the order of sums, which depends on the batch, would change scores.
    """

    def __init__(self, layers: list[tuple[DoubleArray, DoubleArray]], axes: Axes | None = None) -> None:
        self.layers = layers
        self.axes = axes

    @classmethod
    def load(cls, path: Path) -> "Head":
        """Read a head. Raises ValueError if it has no layers, or their shapes do not match."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls.of({name: arrays[name] for name in arrays.files})

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> "Head":
        """A head from its arrays. Raises ValueError as :meth:`load` does."""
        count = sum(name.startswith("w") for name in arrays)
        doubles = [(arrays[f"w{k}"].astype(np.float64), arrays[f"b{k}"].astype(np.float64)) for k in range(count)]
        if not doubles or any(a[0].shape[1] != b[0].shape[0] for a, b in pairwise(doubles)):
            raise ValueError("The head's arrays are not layers w0, b0, w1, b1 … of matching shapes.")
        axes = Axes(*(arrays[field] for field in Axes.__slots__)) if "prompt_axes" in arrays else None
        return cls(doubles, axes)

    def __call__(self, features: FloatArray) -> FloatArray:
        x = features.astype(np.float64)
        for index, (weight, bias) in enumerate(self.layers):
            x = x @ weight + bias
            if index + 1 < len(self.layers):
                x = gelu(x)
        return x.astype(np.float32)


def gelu(x: DoubleArray) -> DoubleArray:
    """The tanh form of the Gaussian error linear unit (Hendrycks & Gimpel, 2016)."""
    return np.asarray(0.5 * x * (1.0 + np.tanh(0.7978845608 * (x + 0.044715 * x * x * x))), np.float64)
