"""Whether two expressions of SymPy are one, by multiplying out their difference: much sooner than by simplifying it.

This proves what is equal, and says nothing of the rest. It cancels what is nowhere defined (x - x over x - x), so that
it is for expressions that have values.
"""

from typing import Any

from sympy import Expr, Integer, Sum, binomial, combsimp, cos, factorial, preorder_traversal, sin

_MOST_PARTS = 60
_LARGEST = 8
"""Of an exponent, or of the multiple of an angle: what is multiplied out grows with them."""


def are_equal_multiplied_out(one: Expr, other: Expr) -> bool:
    """Whether the difference of two expressions is 0 once its products, powers and angles are multiplied out, its sums
    over powers summed up and its factorials cancelled; False if that is not known, or they are too large."""
    if not (_is_small(one) and _is_small(other)):
        return False
    difference = one - other
    if difference.has(Sum):
        difference = difference.replace(_is_sum_over_powers, lambda total: total.doit())
    if difference.has(factorial, binomial):
        difference = combsimp(difference)
    difference = difference.expand(trig=True)
    if difference.has(cos):
        difference = difference.replace(_is_power_of_cosine, _write_with_sine).expand()
    return bool(difference == 0)


def _is_small(expression: Any) -> bool:
    for count, part in enumerate(preorder_traversal(expression)):
        if count >= _MOST_PARTS or (not part.is_Add and any(map(_is_large, part.args))):
            return False
    return True


def _is_large(argument: Any) -> bool:
    return isinstance(argument, Integer) and abs(argument) > _LARGEST


def _is_sum_over_powers(part: Any) -> bool:
    return isinstance(part, Sum) and len(part.limits) == 1 and bool(part.function.is_polynomial(part.limits[0][0]))


def _is_power_of_cosine(part: Any) -> bool:
    return bool(part.is_Pow and isinstance(part.base, cos) and part.exp.is_Integer and part.exp >= 2)


def _write_with_sine(power: Any) -> Any:
    pairs, left = divmod(int(power.exp), 2)
    return (1 - sin(power.base.args[0]) ** 2) ** pairs * power.base**left
