"""Export all-MiniLM-L6-v2 to an ONNX graph whose weights stay in the published ``model.safetensors``.

The graph (a few hundred kB) is committed; its initialisers are external data that point into the pinned
file, so that a machine that serves needs that file and no torch. Run once, with torch and onnx at hand:

    python -m reward_models.build.export_minilm --weights model.safetensors --layers 6 --output graphs/minilm.onnx

``--layers`` names the layers whose means over a text's tokens the graph gives: 6 is the sentence embedding; the
middle layers know more of how a text is written, and layers above the highest are left out and cost nothing.

The network is BERT (Devlin et al., 2019) with 6 layers of width 384 and 12 heads, written out below with the
parameter names of the file, so that nothing of ``transformers`` enters the traced graph.
"""

import argparse
import io
from pathlib import Path

import onnx
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from reward_models.build import exporting

LAYERS, WIDTH, HEADS, EPS = 6, 384, 12, 1e-12
WEIGHTS_NAME = "encoder.safetensors"
"""The name of the weights beside the graph in a model's folder."""


class MiniLM(nn.Module):  # type: ignore[misc, unused-ignore]
    """Token ids and mask [n, t] -> means of layers over each text's own tokens, side by side, [n, 384 * layers]."""

    def __init__(self, weights: dict[str, Tensor], layers: tuple[int, ...] = (LAYERS,)) -> None:
        super().__init__()
        self.layers = layers
        for name, value in weights.items():
            if value.is_floating_point() and not name.startswith("pooler."):
                self.register_parameter(name.replace(".", "/"), nn.Parameter(value, requires_grad=False))

    def weight(self, name: str) -> Tensor:
        return self.get_parameter(name.replace(".", "/"))

    def norm(self, name: str, x: Tensor) -> Tensor:
        return functional.layer_norm(x, (WIDTH,), self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), EPS)

    def dense(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"))

    def heads(self, name: str, x: Tensor) -> Tensor:
        rows, length = x.shape[0], x.shape[1]
        return self.dense(name, x).reshape(rows, length, HEADS, WIDTH // HEADS).transpose(1, 2)

    def layer(self, name: str, x: Tensor, penalty: Tensor) -> Tensor:
        query, key, value = (self.heads(f"{name}.attention.self.{part}", x) for part in ("query", "key", "value"))
        weights = torch.softmax(query @ key.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5 + penalty, dim=-1)
        mixed = (weights @ value).transpose(1, 2).reshape(x.shape)
        x = self.norm(f"{name}.attention.output.LayerNorm", x + self.dense(f"{name}.attention.output.dense", mixed))
        wide = functional.gelu(self.dense(f"{name}.intermediate.dense", x))
        return self.norm(f"{name}.output.LayerNorm", x + self.dense(f"{name}.output.dense", wide))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        positions = torch.arange(input_ids.shape[1])
        x = functional.embedding(input_ids, self.weight("embeddings.word_embeddings.weight"))
        x = x + functional.embedding(positions, self.weight("embeddings.position_embeddings.weight"))
        x = x + self.weight("embeddings.token_type_embeddings.weight")[0]
        x = self.norm("embeddings.LayerNorm", x)
        mask = attention_mask.to(x.dtype)
        # A finite penalty, so that a row of padding alone gives no NaN.
        penalty = (1.0 - mask[:, None, None, :]) * -1e9
        means = []
        for index in range(max(self.layers)):
            x = self.layer(f"encoder.layer.{index}", x, penalty)
            if index + 1 in self.layers:
                means.append((x * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1.0))
        return torch.cat(means, dim=1)


def export_graph(weights: Path, output: Path, layers: tuple[int, ...]) -> float:
    """Write the graph; returns the largest difference between it and torch. Raises ValueError above 1e-5."""
    network = MiniLM(load_file(weights), layers).eval()
    example = (torch.tensor([[101, 7592, 102], [101, 102, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]]))
    buffer = io.BytesIO()
    torch.onnx.export(
        network,
        example,
        buffer,
        input_names=["input_ids", "attention_mask"],
        output_names=["pooled"],
        dynamic_axes={name: {0: "rows", 1: "tokens"} for name in ("input_ids", "attention_mask")}
        | {"pooled": {0: "rows"}},
        opset_version=17,
        dynamo=False,
        do_constant_folding=False,
    )
    model = onnx.load_from_string(buffer.getvalue())
    names = {initializer.name: initializer.name.replace("/", ".") for initializer in model.graph.initializer}
    places = exporting.read_offsets(weights)
    where = {name: places[source] for name, source in names.items() if source in places}
    exporting.write_graph(model, where, WEIGHTS_NAME, output)
    return measure_difference(network, weights, output)


def measure_difference(network: nn.Module, weights: Path, graph: Path) -> float:
    """The largest difference between torch and ONNX Runtime on random tokens with padding."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1000, 30000, (5, 70), generator=generator)
    mask = (torch.arange(70)[None] < torch.tensor([70, 41, 12, 3, 66])[:, None]).long()
    expected = network(ids, mask).numpy()
    inputs = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
    return exporting.compare_with_torch(expected, graph, inputs, weights, WEIGHTS_NAME, 1e-5)


def main() -> None:
    """Export a graph and say how far it is from torch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--layers", type=int, nargs="+", choices=range(1, LAYERS + 1), default=[LAYERS])
    arguments = parser.parse_args()
    largest = export_graph(arguments.weights, arguments.output, tuple(sorted(arguments.layers)))
    print(f"largest difference to torch: {largest:.1e}")


if __name__ == "__main__":
    main()
