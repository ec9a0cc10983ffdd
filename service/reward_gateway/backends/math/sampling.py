"""Whether two expressions of SymPy differ, by their values at two places: a hundred times sooner than by simplifying
their difference.

Values are complex doubles, each with a bound of its error, so that two that lie further apart are two.
"""

from collections.abc import Iterator
from typing import Any

from sympy import Expr, Sum, Symbol, binomial, factorial
from sympy.core.function import AppliedUndef

from .values import NO_VALUE, Approximate, evaluate

_PLACES = (0.734, 1.291)
"""Of a first symbol, at which expressions are compared: positive, where most roots and logarithms have a value."""
_STEP = 0.618034
"""From the place of one symbol to that of the next, without the whole part."""
_WHOLE_PLACES = (5, 8)
"""Of a first symbol that counts: in the bounds of a sum, or in a factorial."""
_APART = 1e-4
"""Share of their size by which two values differ: the library takes decimals for equal that differ by less."""
_MARGIN = 100.0
"""Times their errors that two values lie apart."""


def have_same_values(one: Any, other: Any) -> bool | None:
    """Whether two expressions have the same values at two places where all their symbols are positive. False: they
    differ. True: they may be equal. None: they have no values here."""
    if not (isinstance(one, Expr) and isinstance(other, Expr)):
        return None
    try:
        for places in choose_places(one, other):
            if are_apart(evaluate(one, places), evaluate(other, places)):
                return False
    except NO_VALUE:
        return None
    return True


def are_apart(left: Approximate, right: Approximate) -> bool:
    """Whether two values are two."""
    apart = abs(left.value - right.value)
    return apart > max(_APART * max(1.0, left.size, right.size), _MARGIN * (left.error + right.error))


def choose_places(*sides: Expr) -> Iterator[dict[str, float]]:
    """Values for each unknown in expressions, by its name: whole ones where they count."""
    names = sorted({name for side in sides for name in _name_unknowns(side)})
    whole = {name for side in sides for name in name_whole(side)}
    for first, first_whole in zip(_PLACES, _WHOLE_PLACES, strict=True):
        yield {
            name: float(first_whole + i) if name in whole else 0.5 + (first + i * _STEP) % 1.0
            for i, name in enumerate(names)
        }


def _name_unknowns(side: Any) -> set[str]:
    """The symbols of an expression, and what an unknown function gives for one: x, f(x). Not within sums, where k is
    not one number."""
    names = {symbol.name for symbol in side.free_symbols}
    calls = set() if side.has(Sum) else side.atoms(AppliedUndef)
    return names | {str(call) for call in calls if all(isinstance(argument, Symbol) for argument in call.args)}


def name_whole(side: Any) -> set[str]:
    """The symbols that are whole numbers: those in the bounds of sums, in factorials and in binomials."""
    if not side.has(*_OF_WHOLE):
        return set()
    limits = [limit for total in side.atoms(Sum) for limit in total.limits]
    counts = [bound for limit in limits for bound in limit[1:]]
    counts += [count for part in side.atoms(factorial, binomial) for count in part.args]
    return {symbol.name for count in counts for symbol in count.free_symbols}


_OF_WHOLE = (Sum, factorial, binomial)
