"""Checkpoints without a network: the files by which a conversion decides, with tensors of one number each."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

BACKBONE = ("model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight", "model.norm.weight")

Shapes = Mapping[str, Sequence[int]]


def write_checkpoint(
    folder: Path, architecture: str, model_type: str, head: Shapes | None = None, **config: Any
) -> Path:
    """``config.json`` and ``model.safetensors`` of a decoder with tensors of the shapes of ``head`` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {"architectures": [architecture], "model_type": model_type, **config}
    (folder / "config.json").write_text(json.dumps(said))
    tensors = {name: np.zeros((2, 2), np.float32) for name in BACKBONE}
    tensors |= {name: np.zeros(tuple(shape), np.float32) for name, shape in (head or {}).items()}
    save_file(tensors, folder / "model.safetensors")
    return folder
