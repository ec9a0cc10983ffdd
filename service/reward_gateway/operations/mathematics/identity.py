r"""Whether two expressions are identical, by their values at a random place of a finite field: no computer algebra.

Numbers, square roots, letters, sums, products, quotients and whole powers make a field, and to evaluate them in
F(p²) is a homomorphism: identical expressions have one value, and others have two but for a chance of about their
degree / 2^120 (Schwartz 1980, Zippel 1979). The prime and the place are drawn when the process starts, so that no
answer can be made to fit them. What is no part of that field (``\sin x``, ``2^n``, ``n!``) gets a value of its own by
its name and the values in it: where two expressions agree they are identical even so, and where they differ nothing is
known. What can be read in two ways (``1/2x``, ``f(2x)``) is not read here.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

_LONGEST = 300
"""Characters of an expression that is evaluated here: longer ones would hold up the event loop."""
_MOST_NESTED = 20
_MOST_BITS = 4_000
"""Bits of an exact number that is kept beside its value in the field."""
_LONGEST_EXPONENT = 64
"""Bits of a whole exponent."""
_LARGEST_RADICAND = 10**9

_SIGN = re.compile(r"\\[A-Za-z]+|\d+(?:\.\d+)?|\.\d+|[A-Za-z]|[-+*/^_!'(){}\[\]]|\s+")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4}")
_LETTERS = {
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu"),
    *("xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega", "infty"),
    *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"),
}
_FUNCTIONS = {
    *("sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "ln", "log"),
}
_MAY_BE_FUNCTIONS = frozenset("efghkFGHPQpquvyrstTzSW")
"""Letters that a parenthesis may make a function of."""
_NO_UNITS = frozenset("abxyz")
"""Letters that side by side are no unit and no word."""


class _Unreadable(Exception):
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


def are_identical(one: str, other: str) -> bool | None:
    """Whether two expressions in LaTeX, or tuples, intervals, sets, lists and equations of them, are identical.

    None: one of them is not read here, or nothing is known. Equations and lists are never found to differ.
    """
    if max(len(one), len(other)) > _LONGEST:
        return None
    try:
        return _compare(one.strip(), other.strip())
    except (_Unreadable, ZeroDivisionError):
        return None


_RELATION = re.compile(r"(\\(?:le|ge|ne|in|cup|cap)(?![a-z])|[=<>])")
_BRACKETS = re.compile(r"(\\\{|[(\[])(.*)(\\\}|[)\]])", re.DOTALL)


def _compare(one: str, other: str) -> bool | None:
    relations, sides = _split(one)
    if len(relations) > 0 or _RELATION.search(other):
        others, other_sides = _split(other)
        if relations != others or "" in (*sides, *other_sides):
            return None
        return True if all(_compare(*pair) for pair in zip(sides, other_sides, strict=True)) else None
    elements, other_elements = _Elements.read(one), _Elements.read(other)
    if elements is None or other_elements is None:
        if elements is not None or other_elements is not None:
            return None
        return _are_one(evaluate(one), evaluate(other))
    return elements.equals(other_elements)


def _split(text: str) -> tuple[list[str], list[str]]:
    """The relations and signs of sets in a text, and what stands between them."""
    parts = _RELATION.split(text)
    return parts[1::2], [part.strip() for part in parts[::2]]


@dataclass(frozen=True, slots=True)
class _Elements:
    """The elements of a tuple, an interval, a set or a bare list, and the brackets around them."""

    brackets: tuple[str, str]
    texts: Sequence[str]

    @classmethod
    def read(cls, text: str) -> "_Elements | None":
        found = _BRACKETS.fullmatch(text)
        inner = None if found is None else _split_elements(found.group(2))
        if found is not None and inner is not None and (found.group(1) == "\\{" or len(inner) > 1):
            return cls((found.group(1), found.group(3)), inner)
        elements = _split_elements(text)
        if elements is None:
            raise _Unreadable
        return cls(("", ""), elements) if len(elements) > 1 else None

    def equals(self, other: "_Elements") -> bool | None:
        values, others = ([evaluate(text) for text in side.texts] for side in (self, other))
        if self.brackets != other.brackets:
            return None
        if self.brackets[0] == "\\{":
            if any(value.decimal for value in (*values, *others)):
                return None
            members, other_members = ({(value.real, value.imaginary) for value in side} for side in (values, others))
            known = all(value.certain for value in (*values, *others))
            return True if members == other_members else False if known else None
        if len(values) != len(others):
            return None
        verdicts = [_are_one(*pair) for pair in zip(values, others, strict=True)]
        if all(verdicts):
            return True
        return False if self.brackets[0] and False in verdicts else None


def _split_elements(text: str) -> list[str] | None:
    """A text parted at its commas that stand in no bracket; None where its brackets do not match."""
    parts, depth, start = list[str](), 0, 0
    for place, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return None
        if character == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    if depth:
        return None
    return [*parts, text[start:].strip()]


def _are_one(one: Value, other: Value) -> bool | None:
    if (one.real, one.imaginary) == (other.real, other.imaginary):
        return True if one.decimal == other.decimal else None  # for 1/2 a decimal is right only where it may be one
    return False if one.certain and other.certain and not (one.decimal or other.decimal) else None


@lru_cache(maxsize=4_096)  # the answers of a group share a reference
def evaluate(text: str) -> Value:
    """The value of an expression. Raises _Unreadable, ZeroDivisionError."""
    reader = _Reader(text)
    value = reader.read_sum()
    if reader.place < len(reader.signs):
        raise _Unreadable
    return value


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, text: str) -> None:
        self.signs = _read_signs(text)
        self.place = 0
        self._depth = 0
        letters = {sign for sign in self.signs if sign.isalpha() or sign[1:] in _LETTERS}
        self._has_imaginary_unit = letters == {"i"} or letters == {"i", "\\pi"}

    @property
    def next(self) -> str:
        return self.signs[self.place] if self.place < len(self.signs) else ""

    def take(self, sign: str) -> bool:
        if self.next == sign:
            self.place += 1
            return True
        return False

    def need(self, sign: str) -> None:
        if not self.take(sign):
            raise _Unreadable

    def read_sum(self) -> Value:
        self._depth += 1
        if self._depth > _MOST_NESTED:
            raise _Unreadable
        negative = not self.take("+") and self.take("-")
        value = self.read_product()
        if negative:
            value = _multiply(_from_fraction(Fraction(-1)), value)
        while self.next in ("+", "-"):
            negative = self.next == "-"
            self.place += 1
            term = self.read_product()
            value = _add(value, _multiply(_from_fraction(Fraction(-1)), term) if negative else term)
        self._depth -= 1
        return value

    def read_product(self) -> Value:
        value = self.read_power()
        divided = False
        while True:
            if self.next in ("\\cdot", "\\times", "*"):
                self.place += 1
                value, divided = _multiply(value, self.read_power()), False
            elif self.next in ("/", "\\div"):
                self.place += 1
                value, divided = _multiply(value, _invert(self.read_power())), True
            elif self.next and (self.next[0] in "\\(" or self.next.isalpha()):
                if divided:
                    raise _Unreadable  # 1/2x
                value = _multiply(value, self.read_power())
            else:
                return value

    def read_power(self) -> Value:
        begun = self.next
        value = self.read_atom()
        while self.take("!"):
            value = _name("!", value)
        if self.take("^"):
            exponent = self.read_exponent()
            if self.next in ("^", "!"):
                raise _Unreadable
            value = _raise_to(value, exponent)
        if (begun[:1].isdigit() and self.next == "\\frac") or self.next[:1].isdigit():
            raise _Unreadable  # a mixed number, or two numbers side by side
        return value

    def read_exponent(self) -> Value:
        if self.take("{"):
            value = self.read_sum()
            self.need("}")
            return value
        sign = self.next
        if not (sign.isdigit() or sign.isalpha()):
            raise _Unreadable
        self.place += 1
        return _from_fraction(Fraction(sign)) if sign.isdigit() else _letter(sign)

    def read_atom(self) -> Value:
        sign = self.next
        self.place += 1
        if sign == "(":
            value = self.read_sum()
            self.need(")")
            return value
        if sign[:1].isdigit() or sign[:1] == ".":
            return replace(_from_fraction(Fraction(sign)), decimal="." in sign)
        if sign == "\\frac":
            numerator = self.read_group()
            return _multiply(numerator, _invert(self.read_group()))
        if sign == "\\sqrt":
            return _root(self.read_group())
        if sign[1:] in _FUNCTIONS:
            return self.read_function(sign)
        if sign.isalpha() or sign[1:] in _LETTERS:
            return self.read_letter(sign)
        raise _Unreadable

    def read_group(self) -> Value:
        r"""``{…}``, or the one digit or letter that stands for it."""
        if self.take("{"):
            value = self.read_sum()
            self.need("}")
            return value
        sign = self.next
        self.place += 1
        if sign.isdigit():
            self.place -= 1
            self.signs[self.place : self.place + 1] = list(sign)  # \frac12 is 1/2, \sqrt23 is 3 times a root
            self.place += 1
            return _from_fraction(Fraction(sign[0]))
        if sign.isalpha():
            return _letter(sign)
        raise _Unreadable

    def read_letter(self, sign: str) -> Value:
        if sign == "i" and self._has_imaginary_unit:
            return Value(0, 1)
        name = sign
        if self.take("_"):
            name = f"{sign}_{self.read_name()}"
        if self.next == "'" or (self.next == "(" and (sign in _MAY_BE_FUNCTIONS or "_" in name)):
            raise _Unreadable
        value = _letter(name)
        beside = self.signs[max(0, self.place - 2) : self.place + 1]
        word = [letter for letter in beside if letter.isalpha()]
        if sign in ("i", "\\infty") or (len(word) > 1 and not _NO_UNITS.issuperset(word)):
            value = replace(value, certain=False)  # a constant, or perhaps a word or a unit
        return value

    def read_name(self) -> str:
        if not self.take("{"):
            self.place += 1
            return self.signs[self.place - 1] if self.place <= len(self.signs) else ""
        begun = self.place
        while self.next not in ("}", "{", ""):
            self.place += 1
        self.need("}")
        return "".join(self.signs[begun : self.place - 1])

    def read_function(self, sign: str) -> Value:
        r"""``\sin(…)``, ``\sin{…}``, ``\sin 2x``, ``\log_2 8``: a name and a value. What goes on behind is not read."""
        name = sign
        if self.take("_"):
            name = f"{sign}_{self.read_name()}"
        if self.next == "^":
            raise _Unreadable
        if self.take("("):
            value = self.read_sum()
            self.need(")")
            if self.next == "^":
                raise _Unreadable
            return _name(name, value)
        value = self.read_power()
        while self.next.isalpha() or self.next in ("\\frac", "\\sqrt") or self.next[1:] in _LETTERS:
            value = _multiply(value, self.read_power())
        if self.next in ("(", "{", "\\cdot", "\\times", "*", "/", "\\div"):
            raise _Unreadable
        return _name(name, value)


def _read_signs(text: str) -> list[str]:
    signs, place = list[str](), 0
    if _WORD.search(text):
        raise _Unreadable
    while place < len(text):
        found = _SIGN.match(text, place)
        if found is None:
            raise _Unreadable
        place = found.end()
        if not found.group().isspace():
            signs.append(found.group())
    if not signs:
        raise _Unreadable
    return signs


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
def _letter(name: str) -> Value:
    return _place_of(f"letter {name}")


def _name(function: str, *arguments: Value) -> Value:
    """A value of which only the name and what stands in it are known."""
    inside = " ".join(f"{value.real} {value.imaginary}" for value in arguments)
    decimal = any(value.decimal for value in arguments)
    return replace(_place_of(f"function {function} {inside}"), certain=False, decimal=decimal)


def _from_fraction(number: Fraction) -> Value:
    return Value(number.numerator * pow(number.denominator, -1, _PRIME) % _PRIME, 0, number)


def _kept(number: Fraction | None) -> Fraction | None:
    """An exact number of a size that is kept."""
    if number is None or max(number.numerator.bit_length(), number.denominator.bit_length()) > _MOST_BITS:
        return None
    return number


def _combine(one: Value, other: Value, real: int, imaginary: int, rational: Fraction | None) -> Value:
    certain, decimal = one.certain and other.certain, one.decimal or other.decimal
    return Value(real % _PRIME, imaginary % _PRIME, _kept(rational), certain, decimal)


def _add(one: Value, other: Value) -> Value:
    exact = None if one.rational is None or other.rational is None else one.rational + other.rational
    return _combine(one, other, one.real + other.real, one.imaginary + other.imaginary, exact)


def _multiply(one: Value, other: Value) -> Value:
    exact = None if one.rational is None or other.rational is None else one.rational * other.rational
    real = one.real * other.real - one.imaginary * other.imaginary
    return _combine(one, other, real, one.real * other.imaginary + one.imaginary * other.real, exact)


def _invert(value: Value) -> Value:
    norm = (value.real * value.real + value.imaginary * value.imaginary) % _PRIME
    if not norm:
        raise ZeroDivisionError
    share = pow(norm, -1, _PRIME)
    exact = None if value.rational is None else 1 / value.rational
    return _combine(value, value, value.real * share, -value.imaginary * share, exact)


def _raise_to(base: Value, exponent: Value) -> Value:
    number = exponent.rational
    if number is None or exponent.decimal:
        return _name("^", base, exponent)
    if number.denominator == 2:
        return _raise_to(_root(base), _from_fraction(number * 2))
    if number.denominator != 1:
        return _name("^", base, exponent)
    count = abs(number.numerator)
    if not count or count.bit_length() > _LONGEST_EXPONENT:
        raise _Unreadable  # 0^0 is among them
    power, factor = _from_fraction(Fraction(1)), base if number > 0 else _invert(base)
    while count:
        if count & 1:
            power = _multiply(power, factor)
        count >>= 1
        if count:
            factor = _multiply(factor, factor)
    return power


def _root(value: Value) -> Value:
    """A square root: of a fraction by the roots of its primes, whose signs are free, else a name."""
    number = value.rational
    if number is None or value.decimal or max(abs(number.numerator), number.denominator) > _LARGEST_RADICAND:
        return _name("\\sqrt", value)
    if number == 0:
        return value
    outside, inside = _square_parts(abs(number.numerator) * number.denominator)
    root = _from_fraction(Fraction(outside, number.denominator))
    if number < 0:
        root = _multiply(root, Value(0, 1))
    for prime in inside:
        root = _multiply(root, _root_of_prime(prime))
    return root


def _square_parts(number: int) -> tuple[int, list[int]]:
    """A number as the square of one number and distinct primes. Raises _Unreadable where that takes long."""
    outside, inside, divisor = 1, list[int](), 2
    while divisor * divisor <= number:
        if divisor > 2_000:
            raise _Unreadable
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
