"""Shared by the exporters: writing graphs whose weights stay in a separate file, and comparing them with torch."""

import json
import shutil
import struct
import tempfile
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from numpy.typing import NDArray

Place = tuple[int, int]
"""Offset from a file's start, and length, in bytes."""


def read_offsets(path: Path) -> dict[str, Place]:
    """Where each tensor lies in a safetensors file."""
    with path.open("rb") as file:
        (header_length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(header_length))
    start = 8 + header_length
    return {
        name: (start + entry["data_offsets"][0], entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def write_graph(model: Any, where: dict[str, Place], weights_name: str, output: Path) -> None:
    """Write a graph of which the initialisers in ``where`` lie in the file ``weights_name`` beside it."""
    for initializer in model.graph.initializer:
        if initializer.name in where:
            offset, length = where[initializer.name]
            onnx.external_data_helper.set_external_data(initializer, weights_name, offset=offset, length=length)
            initializer.ClearField("raw_data")
    for node in model.graph.node:
        node.ClearField("doc_string")
    output.write_bytes(model.SerializeToString())


def compare_with_torch(
    expected: NDArray[Any],
    graph: Path,
    inputs: dict[str, NDArray[Any]],
    weights: Path,
    weights_name: str,
    tolerance: float,
) -> float:
    """The largest difference of the graph's first output from torch's. Raises ValueError above ``tolerance``."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(weights, Path(folder) / weights_name)  # ONNX Runtime does not follow links out of the folder
        shutil.copyfile(graph, Path(folder) / graph.name)
        session = onnxruntime.InferenceSession(str(Path(folder) / graph.name), providers=["CPUExecutionProvider"])
        found = session.run(None, inputs)[0]
    largest = float(abs(found - expected).max())
    if largest > tolerance:
        raise ValueError(f"The graph differs from torch by {largest:.1e}: it must not be committed.")
    return largest
