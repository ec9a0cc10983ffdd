"""The protocol's element types: their bytes, their names in a model's configuration, their fields in a message."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Datatype:
    """One element type.

    Attributes:
        numpy: the element type in raw bytes (little-endian); None for BYTES and BF16, which numpy does not have.
        contents: field of ``InferTensorContents`` that holds its values; None: raw bytes only.
        size: bytes per element; None if it varies.
    """

    name: str
    numpy: np.dtype[Any] | None
    contents: str | None
    size: int | None

    @property
    def config(self) -> str:
        """Its name in a model's configuration."""
        return "TYPE_STRING" if self.name == "BYTES" else f"TYPE_{self.name}"


def _number_datatype(name: str, code: str, contents: str | None) -> Datatype:
    dtype = np.dtype(code)
    return Datatype(name, dtype, contents, dtype.itemsize)


_ALL = (
    _number_datatype("BOOL", "?", "bool_contents"),
    _number_datatype("UINT8", "u1", "uint_contents"),
    _number_datatype("UINT16", "<u2", "uint_contents"),
    _number_datatype("UINT32", "<u4", "uint_contents"),
    _number_datatype("UINT64", "<u8", "uint64_contents"),
    _number_datatype("INT8", "i1", "int_contents"),
    _number_datatype("INT16", "<i2", "int_contents"),
    _number_datatype("INT32", "<i4", "int_contents"),
    _number_datatype("INT64", "<i8", "int64_contents"),
    _number_datatype("FP16", "<f2", None),
    _number_datatype("FP32", "<f4", "fp32_contents"),
    _number_datatype("FP64", "<f8", "fp64_contents"),
    Datatype("BF16", None, None, 2),
    Datatype("BYTES", None, "bytes_contents", None),
)

DATATYPES: dict[str, Datatype] = {datatype.name: datatype for datatype in _ALL}
"""Every element type by its name."""
