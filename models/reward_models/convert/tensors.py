"""The tensors of a checkpoint by name, shape and type, from the headers of its files: no weights, torch or code."""

import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from reward_models.convert.errors import Refused

SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")
WHOLE = ("model.safetensors", "pytorch_model.bin")
"""Names of a checkpoint's only weight file; the file that lists several is the same with ``.index.json``."""

OTHERS = ("optimizer", "training_args", "scheduler", "adapter_", "rng_state", "consolidated")
"""Beginnings of the names of files that hold no weights of the network, or hold them a second time."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """``shape`` and ``dtype`` of a tensor, as safetensors names types: ``F32``, ``BF16``, ``F8_E4M3``, ``I32`` …"""

    shape: tuple[int, ...]
    dtype: str


Infos = dict[str, TensorInfo]


def find_files(folder: Path) -> list[Path]:
    """The weight files of a folder, as transformers chooses them: safetensors before pickles, named before others.

    Raises:
        Refused: there are none, or some that an index names are not there.
    """
    for name in WHOLE:
        index = folder / f"{name}.index.json"
        if index.is_file():
            files = sorted({folder / file for file in json.loads(index.read_text("utf-8"))["weight_map"].values()})
            if missing := [path.name for path in files if not path.is_file()]:
                raise Refused(
                    f"{index.name} names {', '.join(missing[:4])}, which is not there: fetch the whole folder."
                )
            return files
        if (folder / name).is_file():
            return [folder / name]
    for suffix in SUFFIXES:
        if found := [path for path in sorted(folder.glob(f"*{suffix}")) if not path.name.startswith(OTHERS)]:
            return found
    raise Refused(f"{folder} holds no weights ({', '.join(SUFFIXES)}).")


def list_tensors(folder: Path) -> Infos:
    """All tensors of a folder's weight files. Raises Refused as :func:`find_files` and :func:`read_header` do."""
    found: Infos = {}
    for path in find_files(folder):
        found |= read_header(path)
    return found


def read_header(path: Path) -> Infos:
    """The tensors of one file. Raises Refused if it holds anything else, or is damaged."""
    try:
        return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    except pickle.UnpicklingError as error:
        raise Refused(f"{path.name} holds more than tensors ({error}): save the weights as safetensors.") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, OSError) as error:
        raise Refused(f"{path.name} cannot be read ({type(error).__name__}): it is damaged, or cut short.") from error


def _read_safetensors(path: Path) -> Infos:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError(length)
        header = json.loads(file.read(length))
        end = 8 + length
    header.pop("__metadata__", None)
    if header and end + max(held["data_offsets"][1] for held in header.values()) != path.stat().st_size:
        raise ValueError(path)
    return {name: TensorInfo(tuple(held["shape"]), held["dtype"]) for name, held in header.items()}


def _read_pickle(path: Path) -> Infos:
    """Of torch's archive, or of its older stream of pickles."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            with archive.open(name) as file:
                held: Any = TensorUnpickler(file).load()
    else:
        with path.open("rb") as file:
            for _ in range(3):  # its number, its version, the byte order
                TensorUnpickler(file).load()
            held = TensorUnpickler(file).load()
    held = held.get("state_dict", held) if isinstance(held, Mapping) else {}
    return {str(name): info for name, info in held.items() if isinstance(info, TensorInfo)}


class TensorUnpickler(pickle.Unpickler):
    """Reads a pickle of tensors as their shapes and types. What is no tensor is an UnpicklingError, and is not made."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.file: BinaryIO = file

    def persistent_load(self, pid: Any) -> Any:
        """A tensor's storage: its type."""
        return pid[1]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, *rest: TensorInfo(tuple(shape), str(storage))
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *rest: data
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if module == "torch" and name == "Size":
            return tuple
        raise pickle.UnpicklingError(f"{module}.{name}")


STORAGES: Mapping[str, str] = {
    "FloatStorage": "F32",
    "DoubleStorage": "F64",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
    "Float8_e4m3fnStorage": "F8_E4M3",
    "Float8_e5m2Storage": "F8_E5M2",
}
"""torch's storage class -> its type in safetensors' words."""
