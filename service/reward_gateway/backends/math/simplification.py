"""Math-Verify, made to evaluate or simplify the difference of two expressions, and to solve equations, only where
nothing quicker tells whether they are equal.

Two expressions whose values differ are two; two that have the same values and whose difference is 0 once it is
multiplied out are one. Two equations of which one holds where the other does not are two. The library asks this of
whole answers, of the elements of tuples, sets and intervals, and of the sides of equations.
"""

from typing import Any

from math_verify import grader
from sympy import Number

from .equations import differ_in_solutions
from .expansion import are_equal_multiplied_out
from .sampling import have_same_values

_simplify_difference = grader.sympy_symbolic_eq


def are_symbolically_equal(one: Any, other: Any) -> bool:
    """Whether the difference of two expressions is 0, as SymPy simplifies it."""
    same = have_same_values(one, other)
    if same is None:
        return bool(_simplify_difference(one, other))
    return same and (are_equal_multiplied_out(one, other) or bool(_simplify_difference(one, other)))


_evaluate_difference = grader.sympy_numeric_eq


def are_numerically_equal(one: Any, other: Any, float_rounding: int, numeric_precision: int) -> bool:
    """Whether the difference of two expressions is 0 in digits; a number or a percentage is rounded as the library does
    it."""
    is_rounded = any(grader.is_atomic_or_pct_atomic(side, Number) for side in (one, other))
    if not is_rounded and have_same_values(one, other) is False:
        return False
    return bool(_evaluate_difference(one, other, float_rounding, numeric_precision))


_solve_and_compare = grader.sympy_solve_and_compare


def have_equal_solutions(one: Any, other: Any, float_rounding: int, numeric_precision: int) -> bool:
    """Whether two relations have the same solutions, as SymPy solves them."""
    if differ_in_solutions(one, other):
        return False
    return bool(_solve_and_compare(one, other, float_rounding, numeric_precision))


grader.sympy_solve_and_compare = have_equal_solutions
grader.sympy_numeric_eq = are_numerically_equal
grader.sympy_symbolic_eq = are_symbolically_equal
verify = grader.verify
