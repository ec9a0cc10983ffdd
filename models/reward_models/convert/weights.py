"""Reads a checkpoint's tensors from safetensors, or from pickles that hold tensors only; no code is run."""

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from reward_models.convert.errors import Refused

Tensors = dict[str, torch.Tensor]
SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")


def list_tensor_names(folder: Path) -> set[str]:
    """Names of all tensors of a folder, without reading the tensors if possible."""
    found: set[str] = set()
    for path in find_files(folder):
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as opened:
                found |= set(opened.keys())
        else:
            found |= set(load_file(path))
    return found


def load_prefixed(folder: Path, prefixes: tuple[str, ...]) -> Tensors:
    """The tensors of a folder whose names start with one of ``prefixes``, as float32."""
    found: Tensors = {}
    for path in find_files(folder):
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as opened:
                found |= {name: opened.get_tensor(name) for name in opened.keys() if name.startswith(prefixes)}  # noqa: SIM118
        else:
            found |= {name: value for name, value in load_file(path).items() if name.startswith(prefixes)}
    return {name: value.float() for name, value in found.items()}


def load_file(path: Path) -> Tensors:
    """The tensors of one file. Raises Refused if it holds anything else."""
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise Refused(f"{path.name} holds more than tensors: save the weights as safetensors.") from error
    held = held.get("state_dict", held) if isinstance(held, dict) else {}
    return {name: value for name, value in held.items() if isinstance(value, torch.Tensor)}


def find_files(folder: Path) -> list[Path]:
    """The weight files of a folder: safetensors, otherwise pickles."""
    for suffix in SUFFIXES:
        if found := sorted(folder.glob(f"*{suffix}")):
            return [path for path in found if not path.name.startswith(("optimizer", "training_args", "scheduler"))]
    raise Refused(f"{folder} holds no weights ({', '.join(SUFFIXES)}).")
