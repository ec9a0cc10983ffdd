"""Whether two expressions of SymPy differ, by their values at two places: a hundred times sooner than by simplifying
their difference.

Values are complex doubles, each with a bound of its error, so that two that lie further apart are two. What is no
elementary function, lies at a branch cut or grows too large has no value here.
"""

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sympy import (
    Abs,
    Add,
    Expr,
    Float,
    Mul,
    NumberSymbol,
    Pow,
    Rational,
    Sum,
    Symbol,
    cos,
    cot,
    csc,
    exp,
    log,
    sec,
    sin,
    tan,
)
from sympy.core.numbers import ImaginaryUnit

_PLACES = (0.734, 1.291)
"""Of a first symbol, at which expressions are compared: positive, where most roots and logarithms have a value."""
_STEP = 0.618034
"""From the place of one symbol to that of the next, without the whole part."""
_ROUNDING = 1e-15
"""Relative error of one operation."""
_LARGEST = 1e30
_APART = 1e-4
"""Share of their size by which two values differ: the library takes decimals for equal that differ by less."""
_MARGIN = 100.0
"""Times their errors that two values lie apart."""
_WHOLE_PLACES = (5, 8)
"""Of a first symbol in the bounds of a sum."""
_MOST_TERMS = 64


class _Unknown(Exception):
    """An expression has no value here."""


@dataclass(frozen=True, slots=True)
class _Approximate:
    """A value that is off by ``error`` at most."""

    value: complex
    error: float

    @property
    def size(self) -> float:
        return abs(self.value)


def have_same_values(one: Any, other: Any) -> bool | None:
    """Whether two expressions have the same values at two places where all their symbols are positive. False: they
    differ. True: they may be equal. None: they have no values here."""
    if not (isinstance(one, Expr) and isinstance(other, Expr)):
        return None
    names = sorted({symbol.name for side in (one, other) for symbol in side.free_symbols})
    bounds = {name for side in (one, other) if side.has(Sum) for name in _name_bounds(side)}
    try:
        for first, whole in zip(_PLACES, _WHOLE_PLACES, strict=True):
            places = {
                name: float(whole + i) if name in bounds else 0.5 + (first + i * _STEP) % 1.0
                for i, name in enumerate(names)
            }
            left, right = _evaluate(one, places), _evaluate(other, places)
            apart = abs(left.value - right.value)
            if apart > max(_APART * max(1.0, left.size, right.size), _MARGIN * (left.error + right.error)):
                return False
    except (_Unknown, OverflowError, ZeroDivisionError, ValueError):
        return None
    return True


def _evaluate(expression: Any, places: dict[str, float]) -> _Approximate:
    if isinstance(expression, Symbol):
        return _Approximate(places[expression.name], 0.0)
    if isinstance(expression, (Rational, Float, NumberSymbol)):
        number = float(expression)
        return _check(number, abs(number) * _ROUNDING)
    if isinstance(expression, ImaginaryUnit):
        return _Approximate(1j, 0.0)
    if isinstance(expression, Sum):
        return _evaluate_sum(expression, places)
    rule = _RULES.get(type(expression))
    if rule is None:
        raise _Unknown
    return rule(*(_evaluate(argument, places) for argument in expression.args))


def _name_bounds(side: Any) -> set[str]:
    """Symbols in the bounds of sums, which are whole numbers."""
    limits = [limit for total in side.atoms(Sum) for limit in total.limits]
    return {symbol.name for limit in limits for bound in limit[1:] for symbol in bound.free_symbols}


def _evaluate_sum(total: Any, places: dict[str, float]) -> _Approximate:
    if len(total.limits) != 1 or len(total.limits[0]) != 3:
        raise _Unknown
    index, *bounds = total.limits[0]
    first, last = (_take_whole(_evaluate(bound, places)) for bound in bounds)
    if not 0 <= last - first < _MOST_TERMS:  # the other way round a sum is another one
        raise _Unknown
    return _add(*(_evaluate(total.function, places | {index.name: float(k)}) for k in range(first, last + 1)))


def _take_whole(number: _Approximate) -> int:
    whole = round(number.value.real)
    if abs(number.value - whole) > number.error:
        raise _Unknown
    return whole


def _check(value: complex, error: float) -> _Approximate:
    if not abs(value) + error < _LARGEST:
        raise _Unknown
    return _Approximate(value, error)


def _add(*terms: _Approximate) -> _Approximate:
    size = sum(term.size for term in terms)
    return _check(sum(term.value for term in terms), sum(term.error for term in terms) + len(terms) * _ROUNDING * size)


def _multiply(first: _Approximate, *others: _Approximate) -> _Approximate:
    product = first
    for factor in others:
        value = product.value * factor.value
        error = product.size * factor.error + product.error * (factor.size + factor.error)
        product = _check(value, error + 4 * _ROUNDING * abs(value))
    return product


def _invert(number: _Approximate) -> _Approximate:
    left = number.size - number.error
    if left <= 0:
        raise _Unknown
    return _check(1 / number.value, number.error / (number.size * left) + 4 * _ROUNDING / number.size)


def _take_log(number: _Approximate) -> _Approximate:
    if number.value.real <= number.error and abs(number.value.imag) <= number.error:
        raise _Unknown  # zero, or the branch cut
    value = cmath.log(number.value)
    return _check(value, number.error / (number.size - number.error) + 4 * _ROUNDING * (1 + abs(value)))


def _take_exp(number: _Approximate) -> _Approximate:
    value = cmath.exp(number.value)
    return _check(value, abs(value) * (math.expm1(number.error) + 4 * _ROUNDING * (1 + number.size)))


def _raise(base: _Approximate, exponent: _Approximate) -> _Approximate:
    count = exponent.value.real
    if exponent.value == count and count.is_integer() and abs(count) <= _MOST_FACTORS:
        power = _multiply(_Approximate(1.0, 0.0), *[base] * int(abs(count)))
        return power if count >= 0 else _invert(power)
    return _take_exp(_multiply(_take_log(base), exponent))


_MOST_FACTORS = 12
"""Of powers that are multiplied out; their exponents are exact."""


def _take_sin(angle: _Approximate) -> _Approximate:
    return _check(cmath.sin(angle.value), _error_of_wave(angle))


def _take_cos(angle: _Approximate) -> _Approximate:
    return _check(cmath.cos(angle.value), _error_of_wave(angle))


def _error_of_wave(angle: _Approximate) -> float:
    steepest = math.cosh(abs(angle.value.imag) + angle.error)
    return steepest * (angle.error + 4 * _ROUNDING * (1 + angle.size))


_RULES: dict[type[Any], Callable[..., _Approximate]] = {
    Add: _add,
    Mul: _multiply,
    Pow: _raise,
    exp: _take_exp,
    log: lambda number, *base: _multiply(_take_log(number), *(_invert(_take_log(each)) for each in base)),
    sin: _take_sin,
    cos: _take_cos,
    tan: lambda angle: _multiply(_take_sin(angle), _invert(_take_cos(angle))),
    cot: lambda angle: _multiply(_take_cos(angle), _invert(_take_sin(angle))),
    sec: lambda angle: _invert(_take_cos(angle)),
    csc: lambda angle: _invert(_take_sin(angle)),
    Abs: lambda number: _Approximate(number.size, number.error),
}
