"""Export EfficientNet-Lite to an ONNX graph whose weights stay in the published ``.pth`` file.

That file is a chain of pickles followed by each weight's raw bytes. Nothing here or on a serving machine reads the
pickles for their code: the graph's initialisers are external data that point at the raw bytes. They lie in
TensorFlow's order (height, width, in, out), so that the graph turns them round once, when it is loaded. Run once:

    python -m reward_models.build.export_efficientnet --weights efficientnet-lite2-9656183e.pth --variant lite2 \
        --output graphs/efficientnet-lite2.onnx

The network is EfficientNet-Lite (Tan & Le, 2019; no squeeze-and-excitation, ReLU6, stem and head of fixed width),
written out below with the parameter names of the file. Input: RGB in [-1, 1], [n, 3, side, side]; outputs: the
logits of the 1,000 ImageNet classes and the 1,280 pooled features below them. With ``--until BLOCK`` the graph ends
after that block, and its one output is the block's map, halved by means of 2 x 2: where things are is still in it.
"""

import argparse
import io
import math
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from reward_models.build import exporting

EPS = 1e-3
WEIGHTS_NAME = "efficientnet.pth"
"""The name of the weights beside the graph in a model's folder."""

STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
"""Repeats, kernel, stride, expansion, channels in and out of each stage at width and depth 1."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How far the base network is scaled, and the side of its images."""

    width: float
    depth: float
    side: int


VARIANTS = {"lite0": Variant(1.0, 1.0, 224), "lite2": Variant(1.1, 1.2, 260)}


@dataclass(frozen=True, slots=True)
class Block:
    """An inverted bottleneck (Sandler et al., 2018)."""

    kernel: int
    stride: int
    expand: bool
    skip: bool


def scale_channels(base: int, variant: Variant) -> int:
    """A stage's width: scaled, to a multiple of 8, never under nine tenths of what was asked."""
    scaled = base * variant.width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def list_blocks(variant: Variant) -> list[Block]:
    """Every block of the network; the first and the last stage are not deepened."""
    made = []
    for index, (repeats, kernel, stride, expansion, wide_in, wide_out) in enumerate(STAGES):
        fixed = index in (0, len(STAGES) - 1)
        first_in = 32 if index == 0 else scale_channels(wide_in, variant)
        for repeat in range(repeats if fixed else math.ceil(repeats * variant.depth)):
            step = stride if repeat == 0 else 1
            same = repeat > 0 or first_in == scale_channels(wide_out, variant)
            made.append(Block(kernel, step, expansion != 1, step == 1 and same))
    return made


class EfficientNetLite(nn.Module):  # type: ignore[misc, unused-ignore]
    """Images [n, 3, side, side] -> logits [n, 1000] and pooled features [n, 1280], or the map of block ``until``."""

    def __init__(self, weights: dict[str, Tensor], variant: Variant, until: int | None = None) -> None:
        super().__init__()
        self.blocks = list_blocks(variant)[: None if until is None else until + 1]
        self.outputs = ["logits", "features"] if until is None else ["map"]
        for name, value in weights.items():
            if value.is_floating_point():
                self.register_parameter(
                    name.replace(".", "/"), nn.Parameter(reorder_weight(value), requires_grad=False)
                )

    def weight(self, name: str) -> Tensor:
        value = self.get_parameter(name.replace(".", "/"))
        if value.dim() == 4:
            return value.permute((2, 3, 0, 1) if "_depthwise" in name else (3, 2, 0, 1))
        return value.t() if value.dim() == 2 else value

    def norm(self, name: str, x: Tensor) -> Tensor:
        mean, variance, scale, shift = (
            self.weight(f"{name}.{part}") for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, variance, scale, shift, eps=EPS)

    def convolve(self, name: str, x: Tensor, kernel: int, stride: int = 1) -> Tensor:
        """TensorFlow's SAME padding: as much as is missing, the odd row and column at the end."""
        side = int(x.shape[-1])
        missing = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        x = functional.pad(x, (missing // 2, missing - missing // 2) * 2)
        weight = self.weight(f"{name}.weight")
        return functional.conv2d(x, weight, stride=stride, groups=weight.shape[0] if "_depthwise" in name else 1)

    def block(self, name: str, block: Block, x: Tensor) -> Tensor:
        wide = x
        if block.expand:
            wide = functional.relu6(self.norm(f"{name}._bn0", self.convolve(f"{name}._expand_conv", x, 1)))
        wide = self.convolve(f"{name}._depthwise_conv", wide, block.kernel, block.stride)
        wide = functional.relu6(self.norm(f"{name}._bn1", wide))
        narrow = self.norm(f"{name}._bn2", self.convolve(f"{name}._project_conv", wide, 1))
        return narrow + x if block.skip else narrow

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        x = functional.relu6(self.norm("_bn0", self.convolve("_conv_stem", images, 3, 2)))
        for index, block in enumerate(self.blocks):
            x = self.block(f"_blocks.{index}", block, x)
        if self.outputs == ["map"]:
            return (functional.avg_pool2d(x, 2),)
        x = functional.relu6(self.norm("_bn1", self.convolve("_conv_head", x, 1)))
        features = x.mean((2, 3))
        return features @ self.weight("_fc.weight").t() + self.weight("_fc.bias"), features


def reorder_weight(value: Tensor) -> Tensor:
    """A weight in the order of its bytes: convolutions and the classifier were written by TensorFlow."""
    if value.dim() == 4:
        order = (2, 3, 0, 1) if value.shape[1] == 1 and value.stride()[0] == 1 else (2, 3, 1, 0)
        return value.permute(order).contiguous()
    return value.t().contiguous() if value.dim() == 2 else value


def export_graph(weights: Path, output: Path, variant: Variant, until: int | None = None) -> float:
    """Write the graph; returns how far its first output is from torch's at most. Raises ValueError above 1e-4,
    or if a weight's bytes are not found in the file exactly once."""
    network = EfficientNetLite(torch.load(weights, map_location="cpu", weights_only=True), variant, until).eval()
    buffer = io.BytesIO()
    torch.onnx.export(
        network,
        (torch.zeros(2, 3, variant.side, variant.side),),
        buffer,
        input_names=["images"],
        output_names=network.outputs,
        dynamic_axes={name: {0: "rows"} for name in ("images", *network.outputs)},
        opset_version=17,
        dynamo=False,
        do_constant_folding=False,
    )
    model = onnx.load_from_string(buffer.getvalue())
    content = weights.read_bytes()
    where = {}
    for initializer in model.graph.initializer:
        raw = initializer.raw_data
        if len(raw) < 64:
            continue
        offset = content.find(raw)
        if offset < 0 or content.find(raw, offset + 1) >= 0:
            raise ValueError(f"The bytes of {initializer.name} do not lie in {weights.name} exactly once.")
        where[initializer.name] = offset, len(raw)
    exporting.write_graph(model, where, WEIGHTS_NAME, output)
    return measure_difference(network, weights, output, variant.side)


def measure_difference(network: nn.Module, weights: Path, graph: Path, side: int) -> float:
    """The largest difference between torch and ONNX Runtime on random images."""
    images = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = network(images)[0].detach().numpy()
    return exporting.compare_with_torch(expected, graph, {"images": images.numpy()}, weights, WEIGHTS_NAME, 1e-4)


def main() -> None:
    """Export a graph and say how far it is from torch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--variant", choices=sorted(VARIANTS), required=True)
    parser.add_argument("--until", type=int, metavar="BLOCK", help="end after this block, counted from 0")
    arguments = parser.parse_args()
    largest = export_graph(arguments.weights, arguments.output, VARIANTS[arguments.variant], arguments.until)
    print(f"largest difference to torch: {largest:.1e}")


if __name__ == "__main__":
    main()
