"""Math-Verify, made to simplify the difference of two expressions only where nothing quicker tells whether it is 0.

Two expressions whose values differ are two; two that have the same values and whose difference is 0 once it is
multiplied out are one. The library asks this of whole answers, of the elements of tuples, sets and intervals, and of
the sides of equations.
"""

from typing import Any

from math_verify import grader

from .expansion import are_equal_multiplied_out
from .sampling import have_same_values

_simplify_difference = grader.sympy_symbolic_eq


def are_symbolically_equal(one: Any, other: Any) -> bool:
    """Whether the difference of two expressions is 0, as SymPy simplifies it."""
    same = have_same_values(one, other)
    if same is None:
        return bool(_simplify_difference(one, other))
    return same and (are_equal_multiplied_out(one, other) or bool(_simplify_difference(one, other)))


grader.sympy_symbolic_eq = are_symbolically_equal
verify = grader.verify
