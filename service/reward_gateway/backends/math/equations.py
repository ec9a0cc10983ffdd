"""Whether two equations of SymPy have other solutions, by a place where one of them holds and the other does not: much
sooner than by solving both.

Real numbers alone are looked for, as one symbol's among chosen values of the others. Nothing is said of equations that
may have the same solutions, or none.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

from sympy import Eq, Expr

from .sampling import are_apart, choose_places, name_whole
from .values import NO_VALUE, Approximate, evaluate

_EXACT = 1e-9
"""Share of their size by which the sides of an equation that holds may differ."""
_FLATTEST = 1e-2
"""Slope of the difference of the sides at a solution, so that the exact one lies next to the one that was computed."""


def differ_in_solutions(one: Any, other: Any) -> bool:
    """Whether a place is found where one equation holds and another does not."""
    if not all(
        isinstance(each, Eq) and isinstance(each.lhs, Expr) and isinstance(each.rhs, Expr) for each in (one, other)
    ):
        return False
    return _is_met_alone(one, other) or _is_met_alone(other, one)


def _is_met_alone(equation: Eq, other: Eq) -> bool:
    sides = equation.lhs, equation.rhs, other.lhs, other.rhs
    whole = {name for side in sides for name in name_whole(side)}
    only_powers = all(side.is_polynomial() for side in sides)
    for places in choose_places(*sides):
        for name in (name for name in places if name not in whole):
            with contextlib.suppress(*NO_VALUE):
                for solution in _solve(equation, places, name, both=only_powers):
                    at = {**places, name: solution}
                    if _is_met(*_evaluate_sides(equation, at)) and are_apart(*_evaluate_sides(other, at)):
                        return True
    return False


def _solve(equation: Eq, places: Mapping[str, float], name: str, *, both: bool) -> Iterator[float]:
    """Values of a symbol that would solve an equation if it were linear in it, or quadratic (``both`` values)."""

    def difference(value: float) -> float:
        left, right = _evaluate_sides(equation, {**places, name: value})
        return (left.value - right.value).real

    below, middle, above = map(difference, (-1.0, 0.0, 1.0))
    slope, bend = (above - below) / 2, (above + below) / 2 - middle
    if abs(bend) <= _EXACT * max(1.0, abs(slope)):
        if abs(slope) >= _FLATTEST:
            yield -middle / slope
    elif both and (root := slope * slope - 4 * bend * middle) >= _FLATTEST**2:
        yield from ((-slope + sign * math.sqrt(root)) / (2 * bend) for sign in (1, -1))


def _evaluate_sides(equation: Eq, places: Mapping[str, float]) -> tuple[Approximate, Approximate]:
    return evaluate(equation.lhs, places), evaluate(equation.rhs, places)


def _is_met(left: Approximate, right: Approximate) -> bool:
    return abs(left.value - right.value) <= _EXACT * max(1.0, left.size, right.size)
