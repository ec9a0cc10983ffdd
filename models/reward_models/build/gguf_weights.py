"""A quantised GGUF file as the tensors that ONNX Runtime multiplies with: the same numbers in another layout.

Nothing is rounded. A Q4_1 block holds 32 weights ``w = d * q + m`` with q in 0..15; ``MatMulNBits`` reads
``d * (q - 8)``, so that what is left, ``m + 8 * d`` a block, is kept beside it and multiplied with the sums of the
input's blocks. A Q8_0 block holds 32 weights ``d * q`` with q in -128..127, kept as q + 128.
The result is a safetensors file whose bytes follow from the input's alone, so that its SHA-256 can be pinned.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 32
"""Weights that share a scale, in both kinds of block."""

Arrays = dict[str, NDArray[Any]]


def convert_weights(source: Path, target: Path) -> None:
    """Write every tensor of a GGUF file into a safetensors file.

    A weight ``name`` [N, K] in Q4_1 becomes ``name.packed`` uint8 [N, K/32, 16] (two weights a byte, the earlier one
    in the lower half), ``name.scale`` float32 [N, K/32] and ``name.offset`` float32 [K/32, N]; one in Q8_0 becomes
    ``name.packed`` uint8 [N, K/32, 32] and ``name.scale``; float32 stays as it is.

    Raises:
        ValueError: the file holds a tensor of another type.
    """
    from gguf import GGUFReader  # only the build reads GGUF; a machine that serves does without
    from safetensors.numpy import save_file

    arrays: Arrays = {}
    for tensor in GGUFReader(str(source)).tensors:
        data = np.array(tensor.data)
        match tensor.tensor_type.name:
            case "F32":
                arrays[tensor.name] = data
            case "Q4_1":
                arrays.update(unpack_q4_1(tensor.name, data))
            case "Q8_0":
                arrays.update(unpack_q8_0(tensor.name, data))
            case other:
                raise ValueError(f"{tensor.name} is of type {other}; Q4_1, Q8_0 and F32 can be converted.")
    save_file(arrays, str(target))


def unpack_q4_1(name: str, data: NDArray[Any]) -> Arrays:
    """Q4_1 rows of blocks: d and m in float16, then 16 bytes; byte j holds weights j (low half) and j + 16."""
    blocks = data.view(np.uint8).reshape(len(data), -1, 20)
    scale, low = np.moveaxis(blocks[..., :4].copy().view(np.float16).astype(np.float32), -1, 0)
    halves = blocks[..., 4:]
    whole = np.concatenate([halves & 15, halves >> 4], axis=-1)
    return {
        f"{name}.packed": np.ascontiguousarray(whole[..., ::2] | whole[..., 1::2] << 4),
        f"{name}.scale": np.ascontiguousarray(scale),
        f"{name}.offset": np.ascontiguousarray((low + 8 * scale).T),
    }


def unpack_q8_0(name: str, data: NDArray[Any]) -> Arrays:
    """Q8_0 rows of blocks: d in float16, then 32 signed bytes."""
    blocks = data.view(np.uint8).reshape(len(data), -1, 34)
    return {
        f"{name}.packed": np.ascontiguousarray(blocks[..., 2:] ^ 128),  # signed to unsigned: add 128
        f"{name}.scale": blocks[..., :2].copy().view(np.float16)[..., 0].astype(np.float32),
    }
