r"""The value of an expression in LaTeX in a finite field.

What is no part of that field (``\sin x``, ``2^n``, ``n!``) gets a value of its own by its name and the values in it.
What can be read in two ways (``1/2x``, ``f(2x)``) is not read here.
"""

import re
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from .prime_field import (
    UnreadableExpressionError,
    Value,
    add,
    from_fraction,
    invert,
    multiply,
    raise_to,
    square_root,
    value_of_letter,
    value_of_name,
)

_MOST_NESTED = 20
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


@lru_cache(maxsize=4_096)  # the answers of a group share a reference
def evaluate(text: str) -> Value:
    """The value of an expression. Raises UnreadableExpressionError, ZeroDivisionError."""
    reader = _Reader(text)
    value = reader.read_sum()
    if reader.place < len(reader.signs):
        raise UnreadableExpressionError
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
            raise UnreadableExpressionError

    def read_sum(self) -> Value:
        self._depth += 1
        if self._depth > _MOST_NESTED:
            raise UnreadableExpressionError
        negative = not self.take("+") and self.take("-")
        value = self.read_product()
        if negative:
            value = multiply(from_fraction(Fraction(-1)), value)
        while self.next in ("+", "-"):
            negative = self.next == "-"
            self.place += 1
            term = self.read_product()
            value = add(value, multiply(from_fraction(Fraction(-1)), term) if negative else term)
        self._depth -= 1
        return value

    def read_product(self) -> Value:
        value = self.read_power()
        divided = False
        while True:
            if self.next in ("\\cdot", "\\times", "*"):
                self.place += 1
                value, divided = multiply(value, self.read_power()), False
            elif self.next in ("/", "\\div"):
                self.place += 1
                value, divided = multiply(value, invert(self.read_power())), True
            elif self.next and (self.next[0] in "\\(" or self.next.isalpha()):
                if divided:
                    raise UnreadableExpressionError  # 1/2x
                value = multiply(value, self.read_power())
            else:
                return value

    def read_power(self) -> Value:
        begun = self.next
        value = self.read_atom()
        while self.take("!"):
            value = value_of_name("!", value)
        if self.take("^"):
            exponent = self.read_exponent()
            if self.next in ("^", "!"):
                raise UnreadableExpressionError
            value = raise_to(value, exponent)
        if (begun[:1].isdigit() and self.next == "\\frac") or self.next[:1].isdigit():
            raise UnreadableExpressionError  # a mixed number, or two numbers side by side
        return value

    def read_exponent(self) -> Value:
        if self.take("{"):
            value = self.read_sum()
            self.need("}")
            return value
        sign = self.next
        if not (sign.isdigit() or sign.isalpha()):
            raise UnreadableExpressionError
        self.place += 1
        return from_fraction(Fraction(sign)) if sign.isdigit() else value_of_letter(sign)

    def read_atom(self) -> Value:
        sign = self.next
        self.place += 1
        if sign == "(":
            value = self.read_sum()
            self.need(")")
            return value
        if sign[:1].isdigit() or sign[:1] == ".":
            return replace(from_fraction(Fraction(sign)), decimal="." in sign)
        if sign == "\\frac":
            numerator = self.read_group()
            return multiply(numerator, invert(self.read_group()))
        if sign == "\\sqrt":
            return square_root(self.read_group())
        if sign[1:] in _FUNCTIONS:
            return self.read_function(sign)
        if sign.isalpha() or sign[1:] in _LETTERS:
            return self.read_letter(sign)
        raise UnreadableExpressionError

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
            return from_fraction(Fraction(sign[0]))
        if sign.isalpha():
            return value_of_letter(sign)
        raise UnreadableExpressionError

    def read_letter(self, sign: str) -> Value:
        if sign == "i" and self._has_imaginary_unit:
            return Value(0, 1)
        name = sign
        if self.take("_"):
            name = f"{sign}_{self.read_name()}"
        if self.next == "'" or (self.next == "(" and (sign in _MAY_BE_FUNCTIONS or "_" in name)):
            raise UnreadableExpressionError
        value = value_of_letter(name)
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
            raise UnreadableExpressionError
        if self.take("("):
            value = self.read_sum()
            self.need(")")
            if self.next == "^":
                raise UnreadableExpressionError
            return value_of_name(name, value)
        value = self.read_power()
        while self.next.isalpha() or self.next in ("\\frac", "\\sqrt") or self.next[1:] in _LETTERS:
            value = multiply(value, self.read_power())
        if self.next in ("(", "{", "\\cdot", "\\times", "*", "/", "\\div"):
            raise UnreadableExpressionError
        return value_of_name(name, value)


def _read_signs(text: str) -> list[str]:
    signs, place = list[str](), 0
    if _WORD.search(text):
        raise UnreadableExpressionError
    while place < len(text):
        found = _SIGN.match(text, place)
        if found is None:
            raise UnreadableExpressionError
        place = found.end()
        if not found.group().isspace():
            signs.append(found.group())
    if not signs:
        raise UnreadableExpressionError
    return signs
