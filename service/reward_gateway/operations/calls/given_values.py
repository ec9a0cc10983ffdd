"""Values of arguments: equal as JSON has them, with a tolerance for numbers."""

import json
from collections.abc import Callable
from typing import Any

Loosen = Callable[[str], str]


class Untyped(str):
    """The text of an argument in a form that has no types (XML): it is a text, or what it is as JSON."""

    __slots__ = ()

    def as_json(self) -> Any:
        """What it is as JSON; the text itself if it is none."""
        try:
            return json.loads(self)
        except (ValueError, RecursionError):
            return str(self)


def fit(given: Any, kind: type) -> Any:
    """A given value as a value of a Python type, where its form leaves that open: a text, or what is JSON."""
    if isinstance(given, Untyped):
        return str(given) if kind is str else given.as_json()
    return given


def is_number(value: Any) -> bool:
    """Whether a value is a number: true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class Equality:
    """Compares given values with right ones.

    Args:
        rel_tol: tolerance of numbers, as a share of the right one.
        abs_tol: tolerance of numbers.
        loosen: what is done to both texts before they are compared.
    """

    def __init__(self, rel_tol: float = 0.0, abs_tol: float = 0.0, loosen: Loosen = str) -> None:
        self.rel_tol, self.abs_tol, self.loosen = rel_tol, abs_tol, loosen

    def __call__(self, given: Any, right: Any) -> bool:
        """Whether a given value equals the right one: 1 and 1.0 do; true and 1, and "1" and 1, do not."""
        given = fit(given, type(right))
        if is_number(given) and is_number(right):
            return given == right or self._are_close(given, right)
        if isinstance(given, str) and isinstance(right, str):
            return self.loosen(str(given)) == self.loosen(right)
        if isinstance(given, list) and isinstance(right, list):
            return len(given) == len(right) and all(map(self, given, right))
        if isinstance(given, dict) and isinstance(right, dict):
            return given.keys() == right.keys() and all(self(given[key], right[key]) for key in right)
        return type(given) is type(right) and bool(given == right)

    def _are_close(self, given: float, right: float) -> bool:
        if not (self.rel_tol or self.abs_tol):
            return False
        try:
            return abs(float(given) - float(right)) <= max(self.abs_tol, self.rel_tol * abs(float(right)))
        except OverflowError:  # an integer beyond all doubles
            return False
