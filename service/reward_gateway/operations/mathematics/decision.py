"""A verdict over two expressions, how it was reached, and what is left to computer algebra."""

from dataclasses import dataclass
from typing import Literal

By = Literal["exact", "rational", "symbolic", "numeric", "text"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How near is equal.

    Attributes:
        rel_tol: of decimals, as a share of the reference.
        min_digits: significant digits that a decimal for an exact value has to show, all of them right.
        strict: a decimal is never an exact value.
    """

    rel_tol: float = 1e-6
    min_digits: int = 4
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, and how it was reached; ``several``: the response offers several answers where one is right."""

    equal: bool
    by: By
    several: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What a computer algebra system has to compare: two expressions in LaTeX."""

    reference: str
    response: str
