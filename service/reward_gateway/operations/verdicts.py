"""How rules came to their verdicts, as names that can be counted. No text of a sample is in them."""

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from reward_gateway.sample import FloatArray

from .mathematics.decision import By
from .outcome import Outcome
from .reading.alternatives import MATCHED, REFERENCE
from .reading.params import TextParams
from .reading.rule_fields import carries_fields
from .reading.view import UNFINISHED
from .registry import Operation, OperationParams

BY = "by"
"""The detail that says by what two answers were compared; a verdict for each of its values."""
SEVERAL = "several_answers"
"""The detail of a response that offers several answers where one is right."""

_OF_MATHEMATICS = (*(f"{BY}_{by}" for by in get_args(By)), SEVERAL)
_PLACES = {by: place for place, by in enumerate(get_args(By))}
VERDICTS = (*_OF_MATHEMATICS, MATCHED, UNFINISHED)
"""All names."""
COUNTED_DETAILS = (BY, SEVERAL, MATCHED, UNFINISHED)
"""The details that they are read from."""


def find_verdict_names(operation: Operation, params: OperationParams) -> tuple[str, ...]:
    """The names of the verdicts that an operation may give, the same for every request."""
    if operation.kind != "score":
        return ()
    of_mathematics = _OF_MATHEMATICS if operation.name == "math_equivalence" else ()
    answers = carries_fields(operation) and operation.item.model_fields[REFERENCE].annotation is not type(None)
    matched = (MATCHED,) if answers else ()
    unfinished = isinstance(params, TextParams) and (params.text, params.unfinished) == ("final", "wrong")
    return (*of_mathematics, *matched, *((UNFINISHED,) if unfinished else ()))


def read_verdicts(names: Sequence[str], outcome: Outcome, size: int) -> dict[str, FloatArray]:
    """The verdicts of an outcome: name -> [size] 1.0 in the rows that have it, else 0.0."""
    told = outcome.details.get(BY)
    ways = np.array([_PLACES.get(by, -1) for by in told]) if told else ()
    return {
        name: np.equal(ways, place).astype(np.float64)
        if (place := _PLACES.get(name.removeprefix(f"{BY}_"))) is not None and len(ways)
        else _read_marks(name, outcome.details.get(name), size)
        for name in names
    }


def _read_marks(name: str, column: Sequence[Any] | None, size: int) -> FloatArray:
    if column is None:
        return np.zeros(size)
    marks = [value is not None for value in column] if name == MATCHED else [value is True for value in column]
    return np.array(marks, dtype=np.float64)
