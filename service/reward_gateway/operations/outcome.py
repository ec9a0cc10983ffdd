"""What an operation answers: columns out, with a reason for every row that has no number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reward_gateway.sample import FloatArray, Invalid


class ItemError(ValueError):
    """One item cannot be answered; its neighbours can. Raised by row-wise operations, caught by :func:`by_row`.

    Attributes:
        param: path of the field at fault, below the item, for example ``gold_logprobs[0]``; None: no single one is.
    """

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(slots=True)
class Outcome:
    """The answer of an operation over n items.

    Attributes:
        reward: [n] float64, NaN in the rows of ``invalid``; None where the operation gives no scalar.
        rewards: [n] vectors (nested lists where the answer is one list per trajectory); None where it gives none.
        details: name -> [n] values: numbers, lists or small mappings, whatever JSON can hold.
        invalid: row -> why it has no answer.
        flags: row -> names.
        fallback: the judge that scored every row in place of one that is away, and its version; None: none did.
        stood_in: row -> why a part of its answer is a stand-in, as it was published. The operation by itself answers
            such a row; a recipe, whose rewards are trained on, does not.
    """

    reward: FloatArray | None = None
    rewards: Sequence[Any] | None = None
    details: dict[str, Sequence[Any]] = field(default_factory=dict)
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    stood_in: dict[int, Invalid] = field(default_factory=dict)
    fallback: tuple[str, str] | None = None


def invalid_field(message: str, param: str | None = None) -> Invalid:
    """The reason for an item whose values cannot be answered."""
    return Invalid("invalid_field", message, param=param)


@dataclass(slots=True)
class Row:
    """The answer for one item, for operations that work item by item."""

    reward: float | None = None
    rewards: Any = None
    details: dict[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


def by_row(size: int, answer: Callable[[int], Row]) -> Outcome:
    """Answer items one at a time: for groups, sets and trajectories, where an item is itself a batch.

    An :class:`ItemError` becomes that item's reason and leaves the others alone.
    """
    rows: list[Row | None] = []
    outcome = Outcome()
    with np.errstate(all="ignore"):  # a number that runs over is answered as not finite
        for i in range(size):
            try:
                row = answer(i)
                rows.append(row)
                if row.flags:
                    outcome.flags[i] = row.flags
            except ItemError as error:
                rows.append(None)
                outcome.invalid[i] = invalid_field(str(error), error.param)
    if any(row is not None and row.reward is not None for row in rows):
        outcome.reward = np.array([np.nan if r is None or r.reward is None else r.reward for r in rows])
    if any(row is not None and row.rewards is not None for row in rows):
        outcome.rewards = [None if row is None else row.rewards for row in rows]
    names = dict.fromkeys(name for row in rows if row is not None for name in row.details)
    outcome.details = {name: [None if row is None else row.details.get(name) for row in rows] for name in names}
    return outcome
