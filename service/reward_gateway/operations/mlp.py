"""Small trained networks that live as JSON in the store: a few dense layers, run in numpy."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.special import expit

from reward_gateway.sample import FloatArray

from .effects import Effectful, ReadSet, perform
from .outcome import ItemError

Activation = Literal["sigmoid", "tanh", "relu"]


class Layer(BaseModel):
    """y = W x + b with ``weight`` [out, in] and ``bias`` [out]."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    weight: list[list[float]]
    bias: list[float]


class Head(BaseModel):
    """Layers in order, and what stands between them."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    layers: list[Layer]
    activation: Activation = "relu"

    def forward(self, inputs: FloatArray, after: Literal["hidden", "ends"]) -> FloatArray:
        """[n, d] -> [n, k].

        Args:
            after: where the activation stands: behind every layer but the last (``hidden``), or behind the first and
                the last alone (``ends``).

        Raises:
            ItemError: the widths do not fit together.
        """
        values = inputs
        last = len(self.layers) - 1
        for place, layer in enumerate(self.layers):
            widths = {len(row) for row in layer.weight}
            if widths != {values.shape[1]} or len(layer.bias) != len(layer.weight):
                raise ItemError(f"layer {place} of the head does not take {values.shape[1]} numbers")
            values = values @ np.asarray(layer.weight).T + np.asarray(layer.bias)
            if place < last if after == "hidden" else place in (0, last):
                values = _apply_activation(values, self.activation)
        return values


def _apply_activation(values: FloatArray, activation: Activation) -> FloatArray:
    match activation:
        case "sigmoid":
            return np.asarray(expit(values))
        case "tanh":
            return np.tanh(values)
        case "relu":
            return np.maximum(values, 0.0)


def linear(weights: Sequence[float], bias: float, activation: Activation) -> Head:
    """One layer with one output."""
    return Head(layers=[Layer(weight=[list(weights)], bias=[bias])], activation=activation)


def read_head(name: str) -> Effectful[Head]:
    """A head from the store of named sets, kind ``heads``.

    Raises:
        ItemError: there is none of that name, or it is no head.
    """
    stored = yield from perform(ReadSet("heads", name))
    if stored is None:
        raise ItemError(f"there is no stored head {name!r}")
    try:
        head = Head.model_validate(stored)
    except ValidationError:
        raise ItemError(f"the stored head {name!r} is not of the form layers: [weight, bias]") from None
    if not head.layers:
        raise ItemError(f"the stored head {name!r} has no layers")
    return head
