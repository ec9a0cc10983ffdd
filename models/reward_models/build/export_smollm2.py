"""Export SmolLM2 to ONNX graphs whose weights stay in the file that ``gguf_weights`` makes of the published one.

Two graphs over one weights file, both a few hundred kB and committed. Run once, with torch, onnx and gguf at hand:

    python -m reward_models.build.export_smollm2 --gguf SmolLM2-135M-Instruct.Q4_1.gguf --output graphs

``smollm2-logprobs.onnx`` gives log-probabilities of tokens, ``smollm2-hidden-14-22.onnx`` mixes of hidden states of
the layers that ``--layers`` names; layers above the highest are left out and cost nothing.

Both read a *pack*: one row of tokens made of contexts and of continuations that share them, told apart by numbers,
so that a context is read once however many continuations it has, and nothing is padded
(see :mod:`reward_models.runtime.packs`).

| input | shape | what |
|---|---|---|
| ``ids`` | int64 [t] | token ids |
| ``positions`` | int64 [t] | place of each token in its own text, context included |
| ``segments`` | int64 [t] | which segment a token belongs to |
| ``contexts`` | int64 [t] | which other segment it also sees: a continuation's context; its own number for a context |
| ``sources`` | int64 [m] | ``logprobs`` only: the place in the pack before a token |
| ``targets`` | int64 [m] | ``logprobs`` only: that token's id; answer: ``logprobs`` float32 [m], natural logarithms |
| ``weights`` | float32 [r, t] | ``hidden`` only: r mixes of the tokens; answer: ``states`` float32 [r, layers * 576] |

The network is Llama (Touvron et al., 2023; RMS norm, SwiGLU, grouped-query attention, rotary positions over
neighbouring pairs, as GGUF stores them; tied embeddings) with 30 layers of width 576, 9 heads, 3 of them for keys.
"""

import argparse
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from reward_models.build import exporting
from reward_models.build.gguf_weights import BLOCK
from reward_models.build.gguf_weights import convert_weights as convert
from reward_models.runtime.packs import build_packs
from reward_models.runtime.states import mixing_weights

LAYERS, WIDTH, WIDE, HEADS, KEYS, HEAD, EPS, THETA = 30, 576, 1536, 9, 3, 64, 1e-5, 1e5
EMBEDDING = "token_embd.weight"
WEIGHTS_NAME = "smollm2.safetensors"
"""The name of the weights beside the graph in a model's folder."""

TOLERANCE = {"logprobs": 2e-4, "states": 2e-3}
"""Largest difference to torch that may be committed: of log-probabilities, and of states of a norm of hundreds."""


class Blockwise(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    """x [t, K] times weights kept as whole numbers with a scale a block: torch's way, and ONNX Runtime's operator."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, packed: Tensor, scale: Tensor, bits: int) -> Tensor:
        whole = torch.stack([packed & 15, packed >> 4], -1).flatten(2) if bits == 4 else packed
        weights = (whole.float() - 2 ** (bits - 1)) * scale[..., None]
        return x @ weights.flatten(1).t()

    @staticmethod
    def symbolic(g: Any, x: Any, packed: Any, scale: Any, bits: int) -> Any:
        n, blocks, _ = packed.type().sizes()
        # Accuracy level 1: the input stays float32. Without it the operator may round it to 8 bits.
        product = g.op(
            "com.microsoft::MatMulNBits",
            *(x, packed, scale),
            K_i=blocks * BLOCK,
            N_i=n,
            bits_i=bits,
            block_size_i=BLOCK,
            accuracy_level_i=1,
        )
        return product.setType(x.type().with_sizes([None, n]))


class SmolLM2(nn.Module):  # type: ignore[misc, unused-ignore]
    """The hidden states [t, 576] of a pack: after the last norm, or of several layers side by side."""

    def __init__(self, weights: dict[str, Tensor], layers: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.layers = layers
        for name, value in weights.items():
            self.register_buffer(name.replace(".", "/"), value)

    def weight(self, name: str) -> Tensor:
        return self.get_buffer(name.replace(".", "/"))

    def norm(self, name: str, x: Tensor) -> Tensor:
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + EPS) * self.weight(f"{name}.weight")

    def linear(self, name: str, x: Tensor, sums: Tensor) -> Tensor:
        name = f"{name}.weight"
        product: Tensor = Blockwise.apply(x, self.weight(f"{name}.packed"), self.weight(f"{name}.scale"), 4)
        return product + sums @ self.weight(f"{name}.offset")

    def linears(self, x: Tensor, *names: str) -> list[Tensor]:
        sums = x.reshape(-1, x.shape[1] // BLOCK, BLOCK).sum(-1)
        return [self.linear(name, x, sums) for name in names]

    def embed(self, ids: Tensor) -> Tensor:
        whole = self.weight(f"{EMBEDDING}.packed")[ids].float() - 128.0
        return (whole * self.weight(f"{EMBEDDING}.scale")[ids][..., None]).flatten(1)

    def turned(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Rotary positions. The halves of a pair come out apart, which a product of two such vectors does not see."""
        cosine, sine = turn
        pairs = x.reshape(-1, x.shape[1] // HEAD, HEAD // 2, 2)
        a, b = pairs[..., 0], pairs[..., 1]
        return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1).transpose(0, 1)

    def attention(self, name: str, x: Tensor, turn: tuple[Tensor, Tensor], penalty: Tensor) -> Tensor:
        q, k, v = self.linears(x, f"{name}.attn_q", f"{name}.attn_k", f"{name}.attn_v")
        query = (self.turned(q, turn) * HEAD**-0.5).reshape(KEYS, HEADS // KEYS, -1, HEAD)
        key = self.turned(k, turn)[:, None]
        value = v.reshape(-1, KEYS, HEAD).transpose(0, 1)[:, None]
        mixed = torch.softmax(query @ key.transpose(-1, -2) + penalty, dim=-1) @ value
        joined = mixed.reshape(HEADS, -1, HEAD).transpose(0, 1).reshape(-1, WIDTH)
        return self.linears(joined, f"{name}.attn_output")[0]

    def layer(self, name: str, x: Tensor, turn: tuple[Tensor, Tensor], penalty: Tensor) -> Tensor:
        x = x + self.attention(name, self.norm(f"{name}.attn_norm", x), turn, penalty)
        gate, up = self.linears(self.norm(f"{name}.ffn_norm", x), f"{name}.ffn_gate", f"{name}.ffn_up")
        return x + self.linears(gate * torch.sigmoid(gate) * up, f"{name}.ffn_down")[0]

    def forward(self, ids: Tensor, positions: Tensor, segments: Tensor, contexts: Tensor) -> Tensor:
        angles = positions.float()[:, None] * torch.tensor(THETA ** (-np.arange(0, HEAD, 2) / HEAD)).float()
        turn = angles.cos()[:, None], angles.sin()[:, None]
        place = torch.arange(ids.shape[0])
        theirs = (segments[None] == segments[:, None]) | (segments[None] == contexts[:, None])
        seen = (place[None] <= place[:, None]) & theirs
        penalty = (1.0 - seen.float()) * -1e9
        x, states = self.embed(ids), []
        for index in range(max(self.layers, default=LAYERS)):
            x = self.layer(f"blk.{index}", x, turn, penalty)
            if index + 1 in self.layers:
                states.append(x)
        return torch.cat(states, 1) if states else self.norm("output_norm", x)


class Logprobs(nn.Module):  # type: ignore[misc, unused-ignore]
    """Log-probabilities [m] of tokens; logits are made only where one is asked for."""

    inputs = ("ids", "positions", "segments", "contexts", "sources", "targets")
    output = "logprobs"

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.network = SmolLM2(weights)

    def forward(self, *inputs: Tensor) -> Tensor:
        *pack, sources, targets = inputs
        state = self.network(*pack)[sources]
        packed, scale = (self.network.weight(f"{EMBEDDING}.{part}") for part in ("packed", "scale"))
        logits = Blockwise.apply(state, packed, scale, 8)
        return torch.log_softmax(logits, -1).gather(1, targets[:, None])[:, 0]


class Hidden(nn.Module):  # type: ignore[misc, unused-ignore]
    """Mixes [r, layers * 576] of the hidden states of some layers: means, last tokens, as the weights say."""

    inputs = ("ids", "positions", "segments", "contexts", "weights")
    output = "states"

    def __init__(self, weights: dict[str, Tensor], layers: tuple[int, ...]) -> None:
        super().__init__()
        self.network = SmolLM2(weights, layers)

    def forward(self, *inputs: Tensor) -> Tensor:
        *pack, weights = inputs
        return weights @ self.network(*pack)


def make_example(seed: int = 0) -> dict[str, Tensor]:
    """A pack of two contexts of random tokens, the first with two continuations: every input of both graphs."""
    random = np.random.default_rng(seed)
    texts = [tuple(random.integers(17, 49152, length).tolist()) for length in (40, 9, 17, 25, 6)]
    (packed,) = build_packs([(texts[0], texts[1]), (texts[0], texts[2]), (texts[3], texts[4])], budget=512)
    sources, targets = packed.prediction_steps()
    made = {**packed.graph_inputs(), "sources": sources, "targets": targets, "weights": mixing_weights(packed)}
    return {name: torch.tensor(value) for name, value in made.items()}


def export_graph(network: Logprobs | Hidden, weights: Path, output: Path) -> float:
    """Write a graph; returns the largest difference between it and torch. Raises ValueError above TOLERANCE."""
    inputs = tuple(make_example()[name] for name in network.inputs)
    axes = {name: {0: "m" if name in ("sources", "targets") else "t"} for name in network.inputs}
    buffer = io.BytesIO()
    with torch.no_grad():
        torch.onnx.export(
            network.eval(),
            inputs,
            buffer,
            input_names=list(network.inputs),
            output_names=[network.output],
            dynamic_axes=axes | {"weights": {0: "r", 1: "t"}, network.output: {0: "r"}},
            opset_version=18,
            dynamo=False,
            do_constant_folding=False,
            custom_opsets={"com.microsoft": 1},
        )
    model = onnx.load_from_string(buffer.getvalue())
    names = {entry.name: entry.name.removeprefix("network.").replace("/", ".") for entry in model.graph.initializer}
    places = exporting.read_offsets(weights)
    where = {name: places[source] for name, source in names.items() if source in places}
    exporting.write_graph(model, where, WEIGHTS_NAME, output)
    return measure_difference(network, weights, output)


def measure_difference(network: Logprobs | Hidden, weights: Path, graph: Path) -> float:
    """The largest difference between torch and ONNX Runtime on another pack."""
    inputs = {name: value for name, value in make_example(1).items() if name in network.inputs}
    with torch.no_grad():
        expected = network(*(inputs[name] for name in network.inputs)).numpy()
    arrays = {name: value.numpy() for name, value in inputs.items()}
    return exporting.compare_with_torch(expected, graph, arrays, weights, WEIGHTS_NAME, TOLERANCE[network.output])


def main() -> None:
    """Export both graphs and say how far they are from torch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="the folder of the graphs")
    parser.add_argument("--layers", type=int, nargs="+", choices=range(1, LAYERS + 1), default=[14, 22])
    arguments = parser.parse_args()
    layers = tuple(sorted(arguments.layers))
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / WEIGHTS_NAME
        convert(arguments.gguf, weights)
        tensors = load_file(weights)
        for name, network in (
            ("smollm2-logprobs", Logprobs(tensors)),
            (f"smollm2-hidden-{'-'.join(map(str, layers))}", Hidden(tensors, layers)),
        ):
            largest = export_graph(network, weights, arguments.output / f"{name}.onnx")
            print(f"{name}: largest difference to torch {largest:.1e}")


if __name__ == "__main__":
    main()
