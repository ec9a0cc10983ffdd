"""Tensors of the Open Inference Protocol: texts, numbers and tokens as inputs, and outputs of any numeric type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tritonclient.grpc import service_pb2

from reward_gateway.sample import FloatArray

from ..config import FEATURE, TOKENS
from ..rows import Question
from .base import to_number

TYPES = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""Numeric types of the protocol as numpy names them; BF16, which numpy lacks, is read by a rule of its own."""

NOT_IN_JSON = frozenset({"FP16", "BF16"})
"""Types that servers send and take as bytes alone."""

_CONTENTS = ("fp32", "fp64", "int64", "int", "uint64", "uint", "bool")


@dataclass(frozen=True, slots=True)
class TensorForm:
    """A tensor of a server's model, as its metadata has it.

    Attributes:
        datatype: its type, for example INT64.
        flat: it is [n], not [n, k].
    """

    datatype: str
    flat: bool = False


class InputTensor:
    """One input of a call, of n rows.

    Args:
        holds: what it holds of each question, as ``tensors.inputs`` names it.
        form: None: the server does not say.
        pad: the token behind shorter texts.

    Raises:
        ValueError: the rows make no tensor of the type.
    """

    def __init__(self, holds: str, form: TensorForm | None, questions: Sequence[Question], pad: int) -> None:
        self.datatype = form.datatype if form is not None else default_type(holds)
        if holds in TOKENS:
            values: Any = _pad_rows(_token_rows(holds, questions), pad if holds == "input_ids" else 0)
        elif holds.startswith(FEATURE):
            rows = [question.numbers[holds] for question in questions]
            if len({*map(len, rows)}) > 1:
                raise ValueError(f"{holds} has different lengths")
            values = np.array(rows, np.float64)
        else:
            values = np.array([[question.fields[holds]] for question in questions], object)
        self.values = values if self.datatype == "BYTES" else _as_type(holds, values, self.datatype)
        flat = form is not None and form.flat and values.shape[1] == 1
        self.shape = [len(questions)] if flat else [*values.shape]

    def to_json(self) -> list[Any]:
        """Its values in their order."""
        return list(self.values.reshape(-1).tolist())

    def to_bytes(self) -> bytes:
        """Its values as the protocol's bytes."""
        if self.datatype != "BYTES":
            return bytes(self.values.tobytes())
        texts = [text.encode() for text in self.to_json()]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def default_type(holds: str) -> str:
    """The type of an input of which the server says nothing."""
    return "INT64" if holds in TOKENS else "FP32" if holds.startswith(FEATURE) else "BYTES"


def explain_type(holds: str, datatype: str) -> str:
    """Why a tensor of a type cannot hold what the entry maps to it; empty if it can."""
    if default_type(holds) == "BYTES":
        if datatype == "BYTES":
            return ""
        return f"is {datatype}, and `{holds}` is text (numbers are features.NAME, input_ids and attention_mask)"
    return "" if datatype in TYPES else f"is {datatype}, and `{holds}` is numbers"


def _token_rows(holds: str, questions: Sequence[Question]) -> list[Sequence[int]]:
    if holds == "attention_mask":
        return [[1] * len(question.tokens) for question in questions]
    return [question.tokens if holds == "input_ids" else question.segments for question in questions]


def _pad_rows(rows: Sequence[Sequence[int]], pad: int) -> Any:
    padded = np.full((len(rows), max(map(len, rows))), pad, np.int64)
    for k, row in enumerate(rows):
        padded[k, : len(row)] = row
    return padded


def _as_type(holds: str, values: Any, datatype: str) -> Any:
    kind = np.dtype(TYPES[datatype])
    with np.errstate(invalid="ignore", over="ignore"):
        converted = values.astype(kind)
    if kind.kind != "f" and not np.array_equal(converted, values):
        raise ValueError(f"{holds} has a number that {datatype} does not hold")
    return converted


def read_json(answer: Any, name: str) -> FloatArray:
    """The numbers of a tensor of an answer in JSON; true and false are 1 and 0. Raises ValueError."""
    tensor = next((tensor for tensor in answer["outputs"] if tensor["name"] == name), None)
    if tensor is None:
        raise ValueError(f"it has no tensor {name}")
    values = _flatten(tensor["data"])
    if tensor.get("datatype") == "BOOL":
        values = [int(value) for value in values]
    return np.array([to_number(value) for value in values], np.float64)


def _flatten(data: Any) -> list[Any]:
    if not isinstance(data, list):
        return [data]
    return [value for element in data for value in _flatten(element)]


def read_message(answer: "service_pb2.ModelInferResponse", name: str) -> FloatArray:
    """The numbers of a tensor of an answer over gRPC. Raises ValueError."""
    names = [tensor.name for tensor in answer.outputs]
    if name not in names:
        raise ValueError(f"it has no tensor {name}")
    place = names.index(name)
    tensor = answer.outputs[place]
    if not answer.raw_output_contents:
        held = (getattr(tensor.contents, f"{kind}_contents") for kind in _CONTENTS)
        return np.array(next(filter(None, held), ()), np.float64)
    data = answer.raw_output_contents[place]
    if tensor.datatype == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").astype(np.float64)
    if tensor.datatype not in TYPES:
        raise ValueError(f"its tensor {name} is of the type {tensor.datatype}")
    return np.frombuffer(data, TYPES[tensor.datatype]).astype(np.float64)
