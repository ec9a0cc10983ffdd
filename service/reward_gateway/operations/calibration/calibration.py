"""A fitted calibration as it is stored: parameters and small curves, never the points."""

from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import expit

from reward_gateway.sample import FloatArray

from ..groups import EPS

Method = Literal["platt", "isotonic", "temperature", "moments", "length"]

PARAMETERS: Mapping[str, frozenset[str]] = {
    "platt": frozenset({"a", "b"}),
    "isotonic": frozenset(),
    "temperature": frozenset({"temperature"}),
    "moments": frozenset({"mean", "std"}),
    "length": frozenset({"fraction"}),
}
"""The parameters of each method."""

CURVES = frozenset({"isotonic", "length"})
"""Methods that are a curve."""


class Curve(BaseModel):
    """A function by its corners: linear between them, flat outside."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    x: tuple[float, ...] = Field(min_length=1)
    y: tuple[float, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _corners_rise(self) -> Self:
        if len(self.x) != len(self.y) or any(b <= a for a, b in zip(self.x, self.x[1:], strict=False)):
            raise ValueError("a curve has as many y as x, and its x rise")
        return self

    def at(self, x: FloatArray) -> FloatArray:
        """[n] -> [n]; NaN stays NaN."""
        return np.asarray(np.interp(x, self.x, self.y), dtype=np.float64)


class Calibration(BaseModel):
    """A fit.

    Attributes:
        on: of what it is a function: a score, or the margin of two.
        n: points, or pairs, that it was fitted on.
        quality: how good it is on them, by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    method: Method
    on: Literal["score", "margin"] = "score"
    n: int = Field(ge=1)
    parameters: dict[str, float] = {}
    curve: Curve | None = None
    quality: dict[str, dict[str, float | None]] = {}

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if set(self.parameters) != PARAMETERS[self.method] or (self.curve is not None) != (self.method in CURVES):
            raise ValueError(f"{self.method} has other parameters")
        if self.parameters.get("temperature", 1.0) <= 0 or self.parameters.get("std", 1.0) <= 0:
            raise ValueError("a temperature, and a standard deviation, are above 0")
        return self

    def apply(self, values: FloatArray) -> FloatArray:
        """[n] scores -> [n] probabilities (``moments``: z-scores); of ``length``, lengths -> expected scores."""
        if self.curve is not None:
            return self.curve.at(values)
        known = self.parameters
        with np.errstate(over="ignore"):  # beyond the largest number σ is 0 or 1
            match self.method:
                case "platt":
                    return np.asarray(expit(known["a"] * values + known["b"]))
                case "temperature":
                    return np.asarray(expit(values / known["temperature"]))
                case _:
                    return (values - known["mean"]) / (known["std"] + EPS)
