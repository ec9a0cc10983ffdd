"""The comparison of two expressions as mathematics, as a worker process does it.

Math-Verify parses both sides and compares them; what it calls equal is looked at again where it rounds (6.02e-23 is not
6.02e-24). An expression can be built to run forever or to fill the memory (9^9^9^9), and the library's own time limit
works only in a main thread.
"""

import contextlib
import logging
import os
from dataclasses import dataclass
from typing import Any

Verdict = tuple[bool, str]
"""Whether the expressions are equal, and by what: symbolic or numeric."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How near is equal.

    Attributes:
        rel_tol: two decimals, as a share of the reference.
        min_digits: significant digits that a decimal for an exact value has to show.
        strict: a decimal is never an exact value.
    """

    rel_tol: float = 1e-6
    min_digits: int = 4
    strict: bool = False


DEFAULT = Tolerances()

_NICENESS = 5
"""Beyond that of all worker processes. With much more a busy machine would let them wait for minutes."""

_DIGITS = 40
"""Significant digits to which exact numbers are compared where they do not cancel symbolically."""
_NEAR, _APART = 10.0 ** -(_DIGITS - 5), 1e-25
"""Shares of their size by which two of them differ: less than the one are one number, more than the other are two."""


def prepare() -> None:
    """Import the library now, not at the first comparison; it logs what it cannot parse, which is a response's text.

    The sum takes 60 ms, by which the first answer takes 34 ms in place of 52: a pair that takes 0.1 s begins anew among
    the slow ones, and its process with it.
    """
    logging.disable(logging.CRITICAL)
    compare_answers("x+1", "1+x")


def prepare_slow() -> None:
    """As :func:`prepare`, for comparisons that take long: the others have three times their share of a core."""
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)  # before the imports: one hostile answer after the other ends its process
    prepare()


def compare_answers(reference: str, response: str, tolerances: Tolerances = DEFAULT) -> Verdict | None:
    """Whether two expressions in LaTeX are equal as mathematics; None if the reference is unreadable.

    Raises:
        MemoryError: an expression is too large or nested too deep.
    """
    from .parsing import read_expression
    from .simplification import verify

    # Without the library's time limits: the worker process has its own.
    try:
        wanted = read_expression(reference)
        if not _is_read(wanted):
            return None
        given = read_expression(response)
        if not _is_read(given):
            return False, "symbolic"
        if (verdict := _compare_numbers(wanted[0], given[0], tolerances)) is not None:
            return verdict
        if not _have_same_symbols(wanted, given):
            return False, "symbolic"
        equal = bool(verify(wanted, given, timeout_seconds=None, allow_set_relation_comp=True))
        return equal or _are_equal_over_reals(wanted[0], given[0]), "symbolic"
    except RecursionError:
        raise MemoryError from None
    except MemoryError:
        raise
    except Exception:
        return False, "symbolic"  # the library could not parse or compare it


def _is_read(parsed: list[Any]) -> bool:
    """Whether the library read an expression, and not only the text of one."""
    return bool(parsed) and not isinstance(parsed[0], str)


def _have_same_symbols(wanted: list[Any], given: list[Any]) -> bool:
    """Whether two symbols are one: the library reads X as x, and Delta as delta."""
    from sympy import Symbol

    if not all(isinstance(side[0], Symbol) and len(side) > 1 for side in (wanted, given)):
        return True
    one, other = (str(side[1]).strip() for side in (wanted, given))
    if one == other:
        return True
    return not one.startswith("\\") and len(one) > 1 and one.lower() == other.lower()


def _compare_numbers(wanted: Any, given: Any, tolerances: Tolerances) -> Verdict | None:
    """The verdict over two numbers; None if one of them is none."""
    from sympy import E, Expr, Float, I

    if not (isinstance(wanted, Expr) and isinstance(given, Expr)):
        return None
    constants = {"e": E, "i": I}
    wanted, given = (_replace_constants(side, constants) for side in (wanted, given))
    if wanted.free_symbols or given.free_symbols or not (wanted.is_number and given.is_number):
        return None
    if wanted.is_infinite or given.is_infinite:
        return bool(wanted == given), "symbolic"
    decimals = [side.has(Float) for side in (wanted, given)]
    if not any(decimals):
        return _are_exactly_equal(wanted, given), "symbolic"
    one, other = wanted.evalf(_DIGITS), given.evalf(_DIGITS)
    if not (one.is_number and other.is_number):
        return None
    difference, size = abs(one - other), abs(one)
    if all(decimals):
        return bool(difference <= tolerances.rel_tol * size), "numeric"
    decimal = wanted if decimals[0] else given
    digits = max((_count_digits(number) for number in decimal.atoms(Float)), default=0)
    if tolerances.strict or digits < tolerances.min_digits:
        return bool(difference <= 10.0 ** -(_DIGITS - 10) * size), "numeric"
    shown, exact = (one, other) if decimals[0] else (other, one)
    unit = 10.0 ** -max((_count_places(number) for number in decimal.atoms(Float)), default=0)
    near = difference <= unit / 2 or (abs(shown) <= abs(exact) and difference < unit)
    return bool(near), "numeric"


def _replace_constants(side: Any, constants: dict[str, Any]) -> Any:
    """An expression with e and i as the constants that they are, where it has no other symbols."""
    symbols = {symbol: constants.get(symbol.name) for symbol in side.free_symbols}
    return side if None in symbols.values() else side.subs(symbols)


def _count_digits(number: Any) -> int:
    """Significant digits that a decimal was written with."""
    return len(str(number).partition("e")[0].replace(".", "").strip("-0")) or 1


def _count_places(number: Any) -> int:
    """Digits behind the point that a decimal was written with."""
    mantissa, _, exponent = str(number).partition("e")
    return len(mantissa.partition(".")[2].rstrip("0")) - int(exponent or 0)


_PLACES = (-2, -1, 1, 3)
"""Values of the symbols at which two expressions are compared."""


def _are_equal_over_reals(wanted: Any, given: Any) -> bool:
    """Whether two expressions with a root in one symbol are one function of a real number: sqrt(1/n) is 1/sqrt(n).

    Over the complex numbers they differ where neither is real. They are equal if they are for positive numbers, and
    both real and equal, or both not real, at some places.
    """
    from sympy import Expr, Pow, Symbol, simplify

    from .sampling import have_same_values

    if not (isinstance(wanted, Expr) and isinstance(given, Expr)) or wanted.free_symbols != given.free_symbols:
        return False
    roots = [power for side in (wanted, given) for power in side.atoms(Pow) if power.exp.is_integer is False]
    if len(wanted.free_symbols) != 1 or not roots or have_same_values(wanted, given) is False:
        return False
    symbol = next(iter(wanted.free_symbols))
    positive = Symbol("x", positive=True)
    if simplify(wanted.subs(symbol, positive) - given.subs(symbol, positive)) != 0:
        return False
    for place in _PLACES:
        one, other = wanted.subs(symbol, place), given.subs(symbol, place)
        if one.is_real is not other.is_real or (one.is_real and simplify(one - other) != 0):
            return False
    return True


def _are_exactly_equal(wanted: Any, given: Any) -> bool:
    """Whether two exact numbers are one: by their difference, the digits of each, or that difference, simplified."""
    from sympy import simplify

    difference = wanted - given
    if difference.is_Rational:
        return bool(difference == 0)
    if (equal := _compare_digits(wanted, given)) is not None:
        return equal
    size = abs(wanted.evalf(_DIGITS))
    value = abs(difference.evalf(_DIGITS, maxn=400))
    if value.is_number and size.is_number and not bool(value <= size * _APART):
        return False
    return bool(simplify(difference) == 0) or bool(value <= size * _NEAR)


def _compare_digits(wanted: Any, given: Any) -> bool | None:
    """Whether two exact numbers agree in forty digits of each; None where that many are not sure, or it is close.

    Those of their difference, which are none where they are equal, take seventy times as long for an integral.
    """
    from sympy.core.evalf import PrecisionExhausted

    try:
        one, other = (side.evalf(_DIGITS, strict=True) for side in (wanted, given))
    except PrecisionExhausted:
        return None
    apart, size = abs(one - other), abs(one)
    if not (size.is_Float and (apart.is_Float or apart.is_Rational)):
        return None
    if apart <= size * _NEAR:
        return True
    return False if apart > size * _APART else None
