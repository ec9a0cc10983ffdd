"""Reads tensors from safetensors, or from pickles that hold tensors only, of which no code is run; writes them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from reward_models.convert.errors import Refused
from reward_models.convert.tensors import WHOLE, find_files

SHARD_BYTES = 1 << 29
"""What is held in memory of a checkpoint that is being written."""

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


def iterate_file(path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of one file, one by one, so that no more than the current one is in memory of its own."""
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                yield name, opened.get_tensor(name)
    else:
        yield from load_file(path).items()  # mapped, where the file is an archive


class ShardWriter:
    """Writes a checkpoint to a folder, in files of some size, with the index that says which tensor lies where."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: Tensors = {}
        self._index: dict[str, str] = {}
        self._shards = 0

    def add(self, name: str, value: torch.Tensor) -> None:
        """Add a tensor, which is written at once if many are held."""
        self._held[name] = value.contiguous()
        if sum(held.numel() * held.element_size() for held in self._held.values()) >= SHARD_BYTES:
            self._write()

    def close(self) -> None:
        """Write what is left, and the index."""
        self._write()
        index = {"metadata": {}, "weight_map": self._index}
        (self._folder / f"{WHOLE[0]}.index.json").write_text(json.dumps(index), "utf-8")

    def _write(self) -> None:
        if self._held:
            self._shards += 1
            file = f"weights-{self._shards:05}.safetensors"
            # Parts of one tensor share its memory, which safetensors refuses.
            save_file({name: held.clone() for name, held in self._held.items()}, self._folder / file, {"format": "pt"})
            self._index |= dict.fromkeys(self._held, file)
            self._held = {}
