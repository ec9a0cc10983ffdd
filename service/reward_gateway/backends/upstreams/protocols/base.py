"""What every protocol does: turns questions into a request, and an answer into numbers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from reward_gateway.sample import FloatArray, Invalid

from ..config import Input, UpstreamConfig
from ..failures import Refused
from ..replica import Replica
from ..rows import Question


@dataclass(frozen=True, slots=True)
class CallContent:
    """A request: the path below the address, and the JSON body."""

    path: str
    body: Any


@dataclass(slots=True)
class RowAnswers:
    """What a server said of n rows: [n, K] numbers; reasons, and the numbers of parts as float32 bytes, by row."""

    values: FloatArray
    invalid: dict[int, Invalid] = field(default_factory=dict)
    vectors: dict[int, bytes] = field(default_factory=dict)


class UpstreamProtocol(ABC):
    """One way of asking, for one upstream.

    Attributes:
        inputs: what an entry may choose as its ``input``.
        vector: it can give one number per token or step.
    """

    inputs: ClassVar[frozenset[Input]] = frozenset({"messages", "text", "pair", "response"})
    vector: ClassVar[bool] = False

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
    def read_answer(self, answer: Any, rows: int) -> RowAnswers:
        """The numbers of each row. Raises ValueError, LookupError or TypeError if the answer has another form."""

    async def read_identity(self, replica: Replica) -> str:
        """What the server tells of its model and its version; empty: nothing. Raises ReplicaFailed."""
        return ""

    async def ask(self, replica: Replica, questions: Sequence[Question], timeout_s: float) -> RowAnswers:
        """The numbers of questions, from one replica. Raises ReplicaFailed or Refused."""
        call = self.build_call(questions)
        answer = await replica.post(call.path, call.body, timeout_s)
        return self.check_answer(replica, answer, len(questions))

    def check_answer(self, replica: Replica, answer: Any, rows: int) -> RowAnswers:
        """The numbers of an answer, if there is one for every row. Raises Refused if not."""
        try:
            answers = self.read_answer(answer, rows)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            reason = f"{replica.name} answered in a form that {self.config.protocol} does not have: {_describe(error)}."
            raise Refused(Invalid("model_error", reason)) from None
        if answers.values.shape != (rows, self.width):
            got = "x".join(map(str, answers.values.shape))
            reason = f"{replica.name} gave {got} numbers in place of {rows}x{self.width} (see `dimensions`)."
            raise Refused(Invalid("model_error", reason))
        bad = ~np.isfinite(answers.values).all(axis=1)
        for row in np.flatnonzero(bad).tolist():
            answers.invalid.setdefault(row, Invalid("not_finite", "The model's score is not a finite number."))
        answers.values[bad] = np.nan
        return answers


def _describe(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)[:100] or type(error).__name__


def to_number(value: Any) -> float:
    """A JSON number. Raises ValueError for anything else, booleans and texts among them."""
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


def put_in_order(entries: Sequence[Mapping[str, Any]], rows: int, score: str) -> FloatArray:
    """[n, 1] scores of entries that name their place as ``index``, which rerankers sort by score."""
    if len(entries) != rows or {entry["index"] for entry in entries} != set(range(rows)):
        raise ValueError(f"{len(entries)} results, whose index is not each of 0 to {rows - 1} once")
    values = np.full((rows, 1), np.nan)
    for entry in entries:
        values[entry["index"], 0] = to_number(entry[score])
    return values


def plain_input(question: Question, config: UpstreamConfig) -> str:
    """The text of a question for an entry that reads one."""
    return question.text if config.input in ("text", "response") else f"{question.prompt}\n{question.response}"
