"""The value of an expression of SymPy at a place: a complex double, with a bound of its error.

What is no elementary function, lies at a branch cut or grows too large has no value here.
"""

import cmath
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sympy import (
    Abs,
    Add,
    Float,
    Mul,
    NumberSymbol,
    Pow,
    Rational,
    Sum,
    Symbol,
    binomial,
    cos,
    cot,
    csc,
    exp,
    factorial,
    log,
    sec,
    sin,
    tan,
)
from sympy.core.function import AppliedUndef
from sympy.core.numbers import ImaginaryUnit

_ROUNDING = 1e-15
"""Relative error of one operation."""
_LARGEST = 1e30
_MOST_TERMS = 64
_LARGEST_FACTORIAL = 25


class _Unknown(Exception):
    """An expression has no value here."""


NO_VALUE = (_Unknown, OverflowError, ZeroDivisionError, ValueError)
"""What :func:`evaluate` raises of an expression that has no value."""


@dataclass(frozen=True, slots=True)
class Approximate:
    """A value that is off by ``error`` at most."""

    value: complex
    error: float

    @property
    def size(self) -> float:
        return abs(self.value)


def evaluate(expression: Any, places: Mapping[str, float]) -> Approximate:
    """The value of an expression where each of its symbols, and of what an unknown function is applied to, has a value.

    Raises:
        one of NO_VALUE: it has none, or none is known.
    """
    if isinstance(expression, Symbol):
        return Approximate(places[expression.name], 0.0)
    if isinstance(expression, (Rational, Float, NumberSymbol)):
        number = float(expression)
        return _check(number, abs(number) * _ROUNDING)
    if isinstance(expression, AppliedUndef) and str(expression) in places:
        return Approximate(places[str(expression)], 0.0)
    if isinstance(expression, ImaginaryUnit):
        return Approximate(1j, 0.0)
    if isinstance(expression, Sum):
        return _evaluate_sum(expression, places)
    rule = _RULES.get(type(expression))
    if rule is None:
        raise _Unknown
    return rule(*(evaluate(argument, places) for argument in expression.args))


def _evaluate_sum(total: Any, places: Mapping[str, float]) -> Approximate:
    if len(total.limits) != 1 or len(total.limits[0]) != 3:
        raise _Unknown
    index, *bounds = total.limits[0]
    first, last = (_take_whole(evaluate(bound, places)) for bound in bounds)
    if not 0 <= last - first < _MOST_TERMS:  # the other way round a sum is another one
        raise _Unknown
    return _add(*(evaluate(total.function, {**places, index.name: float(k)}) for k in range(first, last + 1)))


def _take_whole(number: Approximate) -> int:
    whole = round(number.value.real)
    if abs(number.value - whole) > number.error:
        raise _Unknown
    return whole


def _take_factorial(number: Approximate) -> Approximate:
    whole = _take_whole(number)
    if not 0 <= whole <= _LARGEST_FACTORIAL:
        raise _Unknown
    return Approximate(float(math.factorial(whole)), _ROUNDING * math.factorial(whole))


def _take_binomial(number: Approximate, chosen: Approximate) -> Approximate:
    whole, part = _take_whole(number), _take_whole(chosen)
    if not 0 <= part <= whole <= _LARGEST_FACTORIAL:
        raise _Unknown
    return Approximate(float(math.comb(whole, part)), _ROUNDING * math.comb(whole, part))


def _check(value: complex, error: float) -> Approximate:
    if not abs(value) + error < _LARGEST:
        raise _Unknown
    return Approximate(value, error)


def _add(*terms: Approximate) -> Approximate:
    size = sum(term.size for term in terms)
    return _check(sum(term.value for term in terms), sum(term.error for term in terms) + len(terms) * _ROUNDING * size)


def _multiply(first: Approximate, *others: Approximate) -> Approximate:
    product = first
    for factor in others:
        value = product.value * factor.value
        error = product.size * factor.error + product.error * (factor.size + factor.error)
        product = _check(value, error + 4 * _ROUNDING * abs(value))
    return product


def _invert(number: Approximate) -> Approximate:
    left = number.size - number.error
    if left <= 0:
        raise _Unknown
    return _check(1 / number.value, number.error / (number.size * left) + 4 * _ROUNDING / number.size)


def _take_log(number: Approximate) -> Approximate:
    if number.value.real <= number.error and abs(number.value.imag) <= number.error:
        raise _Unknown  # zero, or the branch cut
    value = cmath.log(number.value)
    return _check(value, number.error / (number.size - number.error) + 4 * _ROUNDING * (1 + abs(value)))


def _take_exp(number: Approximate) -> Approximate:
    value = cmath.exp(number.value)
    return _check(value, abs(value) * (math.expm1(number.error) + 4 * _ROUNDING * (1 + number.size)))


def _raise(base: Approximate, exponent: Approximate) -> Approximate:
    count = exponent.value.real
    if exponent.value == count and count.is_integer() and abs(count) <= _MOST_FACTORS:
        power = _multiply(Approximate(1.0, 0.0), *[base] * int(abs(count)))
        return power if count >= 0 else _invert(power)
    return _take_exp(_multiply(_take_log(base), exponent))


_MOST_FACTORS = 12
"""Of powers that are multiplied out; their exponents are exact."""


def _take_sin(angle: Approximate) -> Approximate:
    return _check(cmath.sin(angle.value), _error_of_wave(angle))


def _take_cos(angle: Approximate) -> Approximate:
    return _check(cmath.cos(angle.value), _error_of_wave(angle))


def _error_of_wave(angle: Approximate) -> float:
    steepest = math.cosh(abs(angle.value.imag) + angle.error)
    return steepest * (angle.error + 4 * _ROUNDING * (1 + angle.size))


_RULES: dict[type[Any], Callable[..., Approximate]] = {
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
    factorial: _take_factorial,
    binomial: _take_binomial,
    Abs: lambda number: Approximate(number.size, number.error),
}
