"""Reads a checkpoint's tensors from safetensors, or from pickles that hold tensors only; no code is run."""

from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from safetensors import safe_open

from reward_models.convert.errors import Refused
from reward_models.convert.tensors import find_files

Tensors = dict[str, torch.Tensor]


def load_prefixed(folder: Path, prefixes: tuple[str, ...]) -> Tensors:
    """The tensors of a folder whose names start with one of ``prefixes``, as float32."""
    found: Tensors = {}
    for path in find_files(folder):
        found |= load_file(path, prefixes)
    return {name: value.float() for name, value in found.items()}


def load_file(path: Path, prefixes: tuple[str, ...] = ("",)) -> Tensors:
    """The tensors of one file whose names start with one of ``prefixes``. Raises Refused if it holds anything else."""
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys() if name.startswith(prefixes)}  # noqa: SIM118
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except Exception as error:
        raise Refused(f"{path.name} holds more than tensors: save the weights as safetensors.") from error
    held = held.get("state_dict", held) if isinstance(held, dict) else {}
    return {
        name: value for name, value in held.items() if isinstance(value, torch.Tensor) and name.startswith(prefixes)
    }
