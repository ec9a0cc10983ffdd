"""Arithmetic in F(p²), at a random place for each letter.

Numbers, square roots, letters, sums, products, quotients and whole powers make a field, and to evaluate them in F(p²)
is a homomorphism: identical expressions have one value, and others have two but for a chance of about their degree /
2^120 (Schwartz 1980, Zippel 1979). The prime and the place are drawn when the process starts, so that no answer can be
made to fit them.
"""

import hashlib
import secrets
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

_MOST_BITS = 4_000
"""Bits of an exact number that is kept beside its value in the field."""
_LONGEST_EXPONENT = 64
"""Bits of a whole exponent."""
_LARGEST_RADICAND = 10**9


class UnreadableExpressionError(Exception):
    """The text is no expression that is read here, or none with one reading."""


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression is in F(p²): ``real`` + ``imaginary`` · i.

    Attributes:
        rational: the number that it is, where it is a fraction.
        certain: it has no part of which only the name is known.
        decimal: a decimal stands in it.
    """

    real: int
    imaginary: int
    rational: Fraction | None = None
    certain: bool = True
    decimal: bool = False


def _draw_prime() -> int:
    """A random prime of 127 bits that is 3 modulo 4: -1 has no root, so that i makes a field of twice the degree."""
    while True:
        number = secrets.randbits(126) | 1 << 126 | 3
        if all(number % small for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)) and _is_prime(number):
            return number


def _is_prime(number: int) -> bool:
    """Miller and Rabin's test: wrong with a probability below 4^-24."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(24):
        power = pow(secrets.randbelow(number - 3) + 2, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


_PRIME = _draw_prime()
_SECRET = secrets.token_bytes(32)


def _place_of(name: str) -> Value:
    """A random element of the field for a name."""
    drawn = hashlib.blake2b(name.encode(), key=_SECRET, digest_size=64).digest()
    return Value(int.from_bytes(drawn[:32], "big") % _PRIME, int.from_bytes(drawn[32:], "big") % _PRIME)


@lru_cache(maxsize=1_024)
def value_of_letter(name: str) -> Value:
    """The value of a letter: one of its own."""
    return _place_of(f"letter {name}")


def value_of_name(function: str, *arguments: Value) -> Value:
    """A value of which only the name and what stands in it are known."""
    inside = " ".join(f"{value.real} {value.imaginary}" for value in arguments)
    decimal = any(value.decimal for value in arguments)
    return replace(_place_of(f"function {function} {inside}"), certain=False, decimal=decimal)


def from_fraction(number: Fraction) -> Value:
    """The value of an exact number."""
    return Value(number.numerator * pow(number.denominator, -1, _PRIME) % _PRIME, 0, number)


def _kept(number: Fraction | None) -> Fraction | None:
    """An exact number of a size that is kept."""
    if number is None or max(number.numerator.bit_length(), number.denominator.bit_length()) > _MOST_BITS:
        return None
    return number


def _combine(one: Value, other: Value, real: int, imaginary: int, rational: Fraction | None) -> Value:
    certain, decimal = one.certain and other.certain, one.decimal or other.decimal
    return Value(real % _PRIME, imaginary % _PRIME, _kept(rational), certain, decimal)


def add(one: Value, other: Value) -> Value:
    """The sum of two values."""
    exact = None if one.rational is None or other.rational is None else one.rational + other.rational
    return _combine(one, other, one.real + other.real, one.imaginary + other.imaginary, exact)


def multiply(one: Value, other: Value) -> Value:
    """The product of two values."""
    exact = None if one.rational is None or other.rational is None else one.rational * other.rational
    real = one.real * other.real - one.imaginary * other.imaginary
    return _combine(one, other, real, one.real * other.imaginary + one.imaginary * other.real, exact)


def invert(value: Value) -> Value:
    """One divided by a value. Raises ZeroDivisionError."""
    norm = (value.real * value.real + value.imaginary * value.imaginary) % _PRIME
    if not norm:
        raise ZeroDivisionError
    share = pow(norm, -1, _PRIME)
    exact = None if value.rational is None else 1 / value.rational
    return _combine(value, value, value.real * share, -value.imaginary * share, exact)


def raise_to(base: Value, exponent: Value) -> Value:
    """A power; a name of its own where the exponent is no half or whole number."""
    number = exponent.rational
    if number is None or exponent.decimal:
        return value_of_name("^", base, exponent)
    if number.denominator == 2:
        return raise_to(square_root(base), from_fraction(number * 2))
    if number.denominator != 1:
        return value_of_name("^", base, exponent)
    count = abs(number.numerator)
    if not count or count.bit_length() > _LONGEST_EXPONENT:
        raise UnreadableExpressionError  # 0^0 is among them
    power, factor = from_fraction(Fraction(1)), base if number > 0 else invert(base)
    while count:
        if count & 1:
            power = multiply(power, factor)
        count >>= 1
        if count:
            factor = multiply(factor, factor)
    return power


def square_root(value: Value) -> Value:
    """A square root: of a fraction by the roots of its primes, whose signs are free, else a name."""
    number = value.rational
    if number is None or value.decimal or max(abs(number.numerator), number.denominator) > _LARGEST_RADICAND:
        return value_of_name("\\sqrt", value)
    if number == 0:
        return value
    outside, inside = _square_parts(abs(number.numerator) * number.denominator)
    root = from_fraction(Fraction(outside, number.denominator))
    if number < 0:
        root = multiply(root, Value(0, 1))
    for prime in inside:
        root = multiply(root, _root_of_prime(prime))
    return root


def _square_parts(number: int) -> tuple[int, list[int]]:
    """A number as the square of one number and distinct primes; unreadable where that takes long."""
    outside, inside, divisor = 1, list[int](), 2
    while divisor * divisor <= number:
        if divisor > 2_000:
            raise UnreadableExpressionError
        count = 0
        while number % divisor == 0:
            number, count = number // divisor, count + 1
        outside *= divisor ** (count // 2)
        if count % 2:
            inside.append(divisor)
        divisor += 1
    return outside, inside + [number] * (number > 1)


@lru_cache(maxsize=1_024)
def _root_of_prime(prime: int) -> Value:
    """A root in F(p²), where every element of F(p) has one: of the number or of its negative lies in F(p)."""
    root = pow(prime, (_PRIME + 1) // 4, _PRIME)
    if root * root % _PRIME == prime % _PRIME:
        return Value(root, 0)
    return Value(0, pow(-prime, (_PRIME + 1) // 4, _PRIME))
