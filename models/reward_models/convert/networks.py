"""What is exported: a checkpoint's network with its head, as modules from token ids or pixels to numbers."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from reward_models.convert.errors import Refused
from reward_models.convert.heads import sort_layers
from reward_models.convert.normalizers import Normalizer

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": functional.relu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "selu": functional.selu,
    "tanh": torch.tanh,
}
OUTPUTS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "logits": lambda x: x,
    "sigmoid": torch.sigmoid,
    "softmax": lambda x: torch.softmax(x, dim=-1),
}


class Readout(nn.Module):  # type: ignore[misc, unused-ignore]
    """Scores from a head's numbers [n, K]: these, their sigmoid or softmax; then less a mean, over a deviation."""

    def __init__(self, output: str, normalizer: Normalizer | None = None) -> None:
        super().__init__()
        self.output = OUTPUTS[output]
        self.moments = None
        if normalizer is not None:
            self.moments = torch.tensor([normalizer.mean, normalizer.deviation])

    def forward(self, numbers: Tensor) -> Tensor:
        scores = self.output(numbers.float())
        return scores if self.moments is None else self._normalize(scores, self.moments.to(scores.device))

    @staticmethod
    def _normalize(scores: Tensor, moments: Tensor) -> Tensor:
        return (scores - moments[0]) / moments[1]


class Chain(nn.Module):  # type: ignore[misc, unused-ignore]
    """Linear layers with an activation between them: the heads of reward models, of one layer or of several."""

    def __init__(self, layers: list[nn.Linear], activation: str = "none") -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.activation = ACTIVATIONS[activation]

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], activation: str = "none") -> "Chain":
        """The chain of all matrices among some tensors, in the order of their names' numbers.

        Raises Refused if they do not fit one behind the other, or there are other tensors beside them.
        """
        names = sort_layers(name for name, value in tensors.items() if value.dim() == 2)
        biases = {name: f"{name.removesuffix('weight')}bias" for name in names}
        layers = []
        for name in names:
            weight, bias = tensors[name].float(), tensors.get(biases[name])
            layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
            layer.weight.data = weight
            if bias is not None:
                layer.bias.data = bias.float()
            layers.append(layer)
        widths = [(layer.in_features, layer.out_features) for layer in layers]
        odd = set(tensors) - set(names) - set(biases.values())
        if not layers or odd or any(a[1] != b[0] for a, b in pairwise(widths)):
            raise Refused(f"The head is no chain of linear layers: {', '.join(sorted(odd or tensors)) or 'no tensor'}.")
        return cls(layers, activation)

    @property
    def outputs(self) -> int:
        return int(self.layers[-1].out_features)

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.layers[0].weight)  # an engine's backbone may be of a smaller type, or on another device
        for index, layer in enumerate(self.layers):
            x = layer(x if index == 0 else self.activation(x))
        return x


class Inputs(nn.Module):  # type: ignore[misc, unused-ignore]
    """A network over ``input_ids`` and ``attention_mask`` [n, t] and, where it has them, ``token_type_ids``."""

    types = False
    by_token = False
    """Whether it gives one number per token, [n, t], in place of [n, K]."""

    def feeds(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None) -> dict[str, Tensor]:
        given = {"input_ids": input_ids, "attention_mask": attention_mask}
        return given | {"token_type_ids": token_type_ids} if token_type_ids is not None else given


class Sequence(Inputs):
    """A sequence classifier as ``transformers`` runs it: [n, K]."""

    def __init__(self, model: nn.Module, readout: Readout) -> None:
        super().__init__()
        self.model, self.readout = model, readout

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        given = self.model(**self.feeds(input_ids, attention_mask, token_type_ids))
        return self.readout(given.logits)


class Headed(Inputs):
    """A backbone's last states, pooled (``last`` token, ``mean`` over tokens), then a head: [n, K]."""

    def __init__(self, backbone: nn.Module, head: nn.Module, pool: str, readout: Readout) -> None:
        super().__init__()
        self.backbone, self.head, self.pool, self.readout = backbone, head, pool, readout

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        states = self.backbone(**self.feeds(input_ids, attention_mask, token_type_ids)).last_hidden_state
        if self.pool == "mean":
            mask = attention_mask[:, :, None].to(states)
            pooled = (states * mask).sum(1) / mask.sum(1)  # [n, width]
        else:
            last = attention_mask.sum(1).to(states.device) - 1
            pooled = states[torch.arange(states.shape[0], device=states.device), last]
        return self.readout(self.head(pooled))


class Marked(Inputs):
    """A backbone's last states, each through a head: one number per token, [n, t].

    ``output``: ``softmax`` takes the probability of ``label``, ``sigmoid`` and ``logits`` its number.
    """

    by_token = True

    def __init__(self, backbone: nn.Module, head: nn.Module, output: str, label: int) -> None:
        super().__init__()
        self.backbone, self.head, self.output, self.label = backbone, head, OUTPUTS[output], label

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        states = self.backbone(**self.feeds(input_ids, attention_mask, token_type_ids)).last_hidden_state
        return self.output(self.head(states).float())[..., self.label]


class TextSide(nn.Module):  # type: ignore[misc, unused-ignore]
    """CLIP's or SigLIP's text tower: unit vectors [n, width]; SigLIP's is not ``masked``."""

    def __init__(self, model: Any, masked: bool = True) -> None:
        super().__init__()
        self.model, self.masked = model, masked

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask if self.masked else None
        given = self.model.get_text_features(input_ids=input_ids, attention_mask=mask)
        return functional.normalize(unwrap_features(given), dim=-1)


class ImageSide(nn.Module):  # type: ignore[misc, unused-ignore]
    """CLIP's image tower: unit vectors [n, width], or what a head makes of them, [n, K]."""

    def __init__(self, model: Any, head: Chain | None = None) -> None:
        super().__init__()
        self.model, self.head = model, head

    def forward(self, pixel_values: Tensor) -> Tensor:
        dtype = next(self.model.parameters()).dtype
        given = unwrap_features(self.model.get_image_features(pixel_values=pixel_values.to(dtype)))
        unit = functional.normalize(given, dim=-1)
        return unit if self.head is None else self.head(unit.to(dtype)).float()


def unwrap_features(given: Any) -> Tensor:
    """The vectors that a tower gives, which newer versions of transformers wrap."""
    return (given if isinstance(given, Tensor) else given.pooler_output).float()
