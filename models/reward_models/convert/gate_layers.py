"""The layers of gates: linear, ReLU, and in QRM a normalisation by the statistics of batches behind each."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from reward_models.convert.errors import Refused
from reward_models.convert.heads import sort_layers
from reward_models.convert.networks import Chain

EPSILON = 1e-5
"""What torch's normalisation adds to a variance."""


@dataclass(frozen=True, slots=True)
class GateLayers:
    """``linear``: weight and bias of each layer; ``norms``: what stands behind each but the last, None for nothing."""

    linear: list[tuple[Tensor, Tensor | None]]
    norms: list[nn.BatchNorm1d | None]

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "GateLayers":
        """The layers among tensors named ``….N.weight`` and so on. Raises Refused if they are no such layers."""
        stems = {name.rpartition(".")[0] for name in tensors}
        linear: list[tuple[Tensor, Tensor | None]] = []
        norms: list[nn.BatchNorm1d | None] = []
        for stem in sort_layers(stems):
            held = {
                name.rpartition(".")[2]: value for name, value in tensors.items() if name.rpartition(".")[0] == stem
            }
            if held.keys() <= {"weight", "bias"} and held["weight"].dim() == 2:
                linear.append((held["weight"], held.get("bias")))
                norms.append(None)
            elif "running_var" in held and linear and norms[-1] is None:
                norm = nn.BatchNorm1d(len(held["running_var"]), eps=EPSILON)
                norm.load_state_dict({"num_batches_tracked": torch.tensor(0), **held})
                norms[-1] = norm.eval()
            else:
                raise Refused(f"The gates are no chain of linear layers: {stem} is neither one nor a normalisation.")
        if not linear or norms[-1] is not None:
            raise Refused("The gates are no chain of linear layers: the last of them is missing.")
        return cls(linear, norms)

    @property
    def outputs(self) -> int:
        return len(self.linear[-1][0])

    def __call__(self, state: Tensor) -> Tensor:
        """A state [width] through the layers, one by one: the gates [K]."""
        value = state[None]
        for (weight, bias), norm in zip(self.linear, self.norms, strict=True):
            value = functional.linear(value, weight, bias)
            if weight is not self.linear[-1][0]:
                value = functional.relu(value)
                value = value if norm is None else norm(value)
        return value[0]

    def as_chain(self) -> Chain:
        """The same as linear layers and ReLU alone: each normalisation becomes part of the layer behind it."""
        tensors: dict[str, Tensor] = {}
        before: nn.BatchNorm1d | None = None
        for index, ((weight, bias), norm) in enumerate(zip(self.linear, self.norms, strict=True)):
            if before is not None:
                assert before.running_mean is not None
                assert before.running_var is not None
                gain = before.weight.data / torch.sqrt(before.running_var + before.eps)
                shift = before.bias.data - gain * before.running_mean
                bias = weight @ shift + (0 if bias is None else bias)
                weight = weight * gain
            tensors[f"{index}.weight"] = weight
            if bias is not None:
                tensors[f"{index}.bias"] = bias
            before = norm
        return Chain.of(tensors, "relu")
