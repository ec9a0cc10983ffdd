"""What every protocol does: turns questions into a request, and an answer into numbers."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reward_gateway.sample import FloatArray, Invalid

from ..config import UpstreamConfig
from ..failures import Refused
from ..replica import Replica
from ..rows import Question

TRUNCATED = "truncated"
"""Flags samples that the server has cut."""


@dataclass(frozen=True, slots=True)
class CallContent:
    """A request: the path below the address, the JSON body, and the method."""

    path: str
    body: Any
    method: str = "POST"


@dataclass(slots=True)
class RowAnswers:
    """What a server said of n rows: [n, K] numbers; by row, reasons, flags, and numbers of parts as float32 bytes."""

    values: FloatArray
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    vectors: dict[int, bytes] = field(default_factory=dict)


class UpstreamProtocol(ABC):
    """One way of asking, for one upstream."""

    def __init__(self, config: UpstreamConfig) -> None:
        self.config = config

    @property
    def batches(self) -> bool:
        """Whether a request may hold several rows."""
        return True

    @property
    def width(self) -> int:
        return len(self.config.dimensions)

    @abstractmethod
    def build_call(self, questions: Sequence[Question]) -> CallContent:
        """The request about some questions."""

    @abstractmethod
    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        """The numbers of each row, NaN where there is none.

        Raises ValueError, LookupError or TypeError if the answer has another form.
        """

    async def read_identity(self, replica: Replica) -> str:
        """What the server tells of its model and its version; empty: nothing. Raises ReplicaFailed."""
        return ""

    async def ask(self, replica: Replica, questions: Sequence[Question], timeout_s: float) -> RowAnswers:
        """The numbers of questions, from one replica. Raises ReplicaFailed or Refused."""
        call = self.build_call(questions)
        answer = await replica.post(call.path, call.body, timeout_s, call.method)
        return self.check_answer(replica.name, answer, questions)

    def check_answer(self, name: str, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        """The numbers of an answer, if there is one for every row. Raises Refused if not; ``name`` is for messages."""
        rows = len(questions)
        try:
            answers = self.read_answer(answer, questions)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            reason = f"{name} answered in a form that {self.config.protocol} does not have: {_describe(error)}."
            raise Refused(Invalid("model_error", reason)) from None
        if answers.values.shape != (rows, self.width):
            got = "x".join(map(str, answers.values.shape))
            reason = f"{name} gave {got} numbers in place of {rows}x{self.width} (see `dimensions`)."
            raise Refused(Invalid("model_error", reason))
        with np.errstate(over="ignore"):  # a number that float32 does not hold is none
            answers.values = answers.values.astype(np.float32).astype(np.float64)
        bad = ~np.isfinite(answers.values).all(axis=1)
        for row in np.flatnonzero(bad).tolist():
            answers.invalid.setdefault(row, Invalid("model_error", f"{name} gave no finite number."))
            answers.vectors.pop(row, None)
        answers.values[bad] = np.nan
        answers.flags |= {row: (TRUNCATED,) for row, question in enumerate(questions) if question.truncated}
        return answers


def _describe(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)[:100] or type(error).__name__


def to_number(value: Any) -> float:
    """A JSON number; null, which servers write for NaN, is NaN. Raises ValueError for booleans, texts and others."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a score is not a number")
    return float(value)


def to_row(value: Any) -> list[float]:
    """The K numbers of a row: a list, or one number."""
    return [to_number(number) for number in value] if isinstance(value, list) else [to_number(value)]


def to_table(values: Sequence[Any]) -> FloatArray:
    """[n, K] numbers. Raises ValueError if rows have different numbers of them."""
    rows = [to_row(value) for value in values]
    if len({len(row) for row in rows}) > 1:
        raise ValueError("rows have different numbers of scores")
    return np.array(rows, np.float64).reshape(len(rows), -1)


def expect_list(value: Any, rows: int | None = None) -> list[Any]:
    """A list, of so many elements. Raises ValueError."""
    if not isinstance(value, list):
        raise ValueError("a list is missing")
    if rows is not None and len(value) != rows:
        raise ValueError(f"{len(value)} answers in place of {rows}")
    return value


def order_entries(entries: Any, rows: int) -> list[Any]:
    """One entry per row, in the order of their ``index``, by which rerankers do not sort. Raises ValueError."""
    found = expect_list(entries)
    if [entry.get("index") for entry in found] == [None] * rows:
        return found
    if len(found) != rows or {entry["index"] for entry in found} != set(range(rows)):
        raise ValueError(f"{len(found)} answers, whose index is not each of 0 to {rows - 1} once")
    return sorted(found, key=lambda entry: int(entry["index"]))
