"""Numbers as people and models write them, read exactly: 1,000, 3/4, 2 1/2, 1.5 × 10³, 50 %, $18.90, twenty-one.

Values are fractions, so that integers and powers are compared exactly; roots are doubles.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from .number_notation import plain_notation
from .number_words import SCALES, last_words, read_words
from .remembered import Remembered

_LONGEST = 2_000
"""Characters of a text that is evaluated as one number."""
_MOST_DIGITS = 4_000
"""Digits that a number may have: 9^9^9 is none that anybody means."""
_MOST_NESTED = 50
_GROUPS = r"\d{1,3}(?:,\d{3})+(?![\d,])|\d{1,3}(?:[ _'\u2009\u202f\u00a0]\d{3})+(?![\d ]\d)"
_NUMBER = re.compile(rf"(?:{_GROUPS}|\d{1, 3}(?:_\d{3})+(?!\d)|\d+)(?:\.\d+|\.(?!\w))?|\.\d+")
_EXPONENT = re.compile(r"[eE][-+]?\d{1,6}(?!\w)")
_PLAIN_NUMBER = re.compile(
    r"(-?[0-9]{1,99})(?:\.([0-9]{1,99}))?(\\%)?"
    r"|(-?)(?:([0-9]{1,99})/([1-9][0-9]{0,98})|\\frac\{(-?[0-9]{1,99})\}\{([1-9][0-9]{0,98})\})"
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number that was read.

    Attributes:
        value: a Fraction, exact; a float where a root made it irrational.
        percent: a percent sign follows it: ``value`` is what stands before the sign.
    """

    value: Fraction | float
    percent: bool = False

    @property
    def exact(self) -> bool:
        """Its value is a fraction."""
        return isinstance(self.value, Fraction)

    def as_double(self) -> float | None:
        """The nearest double; None where none is near."""
        return nearest_double(self.value)

    def readings(self) -> tuple[Fraction | float, ...]:
        """What it may mean: 50 % is 50 and 0.5."""
        return (self.value, self.value / 100) if self.percent else (self.value,)


def nearest_double(value: Fraction | float) -> float | None:
    """The double nearest to a number; None where none is near."""
    try:
        return float(value)
    except OverflowError:
        return None


class _Unreadable(Exception):
    pass


@Remembered
def read_number(text: str) -> Number | None:
    """The number that a whole text is, an expression of numbers included; None if it is none, or more than one.

    A unit may follow it ("18 dollars", "5 cm").
    """
    if (found := _PLAIN_NUMBER.fullmatch(text)) is not None:
        return _read_plain(found)
    plain = plain_notation(text[: _LONGEST + 1]).strip().rstrip(".。").strip()
    if not plain or len(plain) > 2 * _LONGEST or _NO_NUMBER.match(plain):
        return None
    parser = _Parser(plain)
    try:
        number = parser.read_expression()
    except _Unreadable:
        words = read_words(plain)
        return None if words is None else Number(words)
    rest = plain[parser.place :]
    return number if not rest.strip() or (_UNIT.fullmatch(rest) and not _VARIABLE.match(rest)) else None


def is_plain(text: str) -> bool:
    r"""Whether a text is what most answers are: an integer, a decimal, a percentage or a fraction that needs no rule to
    be read, such as ``-12``, ``0.5``, ``50\%``, ``3/4`` and ``\frac{3}{4}``."""
    return _PLAIN_NUMBER.fullmatch(text) is not None


def _read_plain(found: "re.Match[str]") -> Number:
    whole, places, percent, sign, *parts = found.groups()
    if whole is None:
        numerator, denominator = (int(part) for part in parts if part is not None)
        return Number(Fraction(-numerator if sign else numerator, denominator))
    value = Fraction(int(whole)) if places is None else Fraction(int(whole + places), 10 ** len(places))
    return Number(value, percent=percent is not None)


def last_number(text: str) -> Number | None:
    """The last number in a text, as the value of the whole expression that it stands in; None without one.

    GSM8K's ``#### 5`` ends at its line. A digit within a word (H2O, x2), a term of a symbolic expression, a date, a
    time and an ordinal are no numbers. Words (twenty-one) are read where there are no digits.
    """
    plain = plain_notation(marked_answer(text))
    found: Number | None = None
    for span in find_numbers(plain):
        if found is not None and span.offered:
            found = None  # "5 or 6" is no one number
        elif span.counts and not _VARIABLE.match(plain, span.end):
            found = span.number
    if found is None and not any(character.isdigit() for character in plain):
        words = last_words(plain[-_LONGEST:])
        return None if words is None else Number(words)
    return found


def marked_answer(text: str) -> str:
    """What follows the last ``####`` on its line, in the manner of GSM8K; without one, the text."""
    marked = _MARKED.findall(text)
    return str(marked[-1]) if marked else text


@dataclass(frozen=True, slots=True)
class Span:
    """A number, and the characters of a plain text that it stands in.

    Attributes:
        counts: it may be an answer: it is no term that follows a symbol, and is not denied.
        offered: it is the second of two that are offered, as in "5 or 6".
    """

    number: Number
    start: int
    end: int
    counts: bool
    offered: bool


def find_numbers(plain: str) -> Iterator[Span]:
    """The numbers of a text in plain notation, in order, each as the value of the expression that it stands in.

    Digits within words, dates, times and ordinals are left out.
    """
    place = 0
    for start in _START.finditer(plain):
        if start.start() < place:
            continue
        if (other := _NO_NUMBER.match(plain, start.start())) is not None:
            place = other.end()
            continue
        parser = _Parser(plain, start.start())
        try:
            number = parser.read_expression()
        except _Unreadable:
            place = max(parser.place, start.end())
            continue
        place = parser.place
        before = plain[max(0, start.start() - _NEAR) : start.start()]
        counts = not (_is_symbolic(plain, start.start()) or _DENIED.search(before))
        yield Span(number, start.start(), place, counts, _OFFERED.search(before) is not None)


_MARKED = re.compile(r"(?:^|\s)####[ \t]*(.+)$", re.MULTILINE)
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff"
"""Letters after which a number begins without a space: Thai, Lao, Burmese, Khmer, Chinese, Japanese, Korean."""
_START = re.compile(rf"(?<![^\W{_SPACELESS}])(?<!\.)[-+]?\s?\(?-?(?:\d|\.\d|sqrt\(|pi\b)")
_NO_NUMBER = re.compile(
    r"\d+(?::\d+)+|\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?!\d)|\d+(?:st|nd|rd|th)\b|\d+(?:\.\d+){2,}", re.IGNORECASE
)
_VARIABLE = re.compile(
    r"(?:[xyznkpqrtuvwi]|(?-i:[abefjo]))(?![a-z])|\^|\s?[-+*/^]\s?[a-z](?![a-z])|\s?\*\s?[a-z]|"
    r"\s(?:squared|cubed|factorial)\b",
    re.IGNORECASE,
)
"""What follows a coefficient or a term of a symbolic expression."""
_UNIT = re.compile(
    r"(?!\s*(?:or|and|of|to|not|is|squared|cubed|factorial|times|plus|minus|divided|modulo|mod|over|choose|if|unless|but)\b)"
    r"\s*(?:[^\W\d_]+[²³]?(?:\^\(?-?\d\)?)?[\s./·*%°'-]{0,3}|°\s?){1,6}"
)
_NEAR = 40
"""Characters before a number that may deny it or offer another."""
_OFFERED = re.compile(r"\d[^\n.;]{0,20}\s(?:or|oder|ou|或)\s{0,3}\Z")
"""What stands before the second of two numbers that are offered."""
_DENIED = re.compile(r"\b(?:not|never|isn['’]t|wasn['’]t|except|不是)\s(?:the\snumber\s)?\Z", re.IGNORECASE)
_SYMBOLS_BEFORE = re.compile(r"(?:[\w)]\s?[*/^+-]\s?|\b[^\W\d_]\s[-+]\s|[*/^]\s?)$")
_GROUPED = re.compile("[, _'\u2009\u202f\u00a0]")


def _is_symbolic(plain: str, start: int) -> bool:
    """Whether what stands before a number makes it a term of an expression with symbols."""
    before = plain[max(0, start - 6) : start]
    sign = plain[start] if plain[start] in "+-" else ""
    if sign and re.search(r"(?:\b[^\W\d_]|[)\d])\s?$", before):
        return True
    return _SYMBOLS_BEFORE.search(before) is not None


class _Parser:
    """Reads an expression of numbers from a place of a plain text on; ``place`` is where it ended."""

    def __init__(self, text: str, place: int = 0) -> None:
        self.text, self.place = text, place
        self._depth = 0

    def read_expression(self) -> Number:
        value = self._read_sum()
        percent = self._take(_PERCENT)
        if percent and self._take(_OF):
            return Number(_checked(value / 100 * self._read_sum()))
        return Number(value, percent=percent)

    def _take(self, pattern: "re.Pattern[str]") -> bool:
        found = pattern.match(self.text, self.place)
        if found:
            self.place = found.end()
        return found is not None

    def _read_sum(self) -> Fraction | float:
        value = self._read_product()
        while (sign := _SUM_SIGN.match(self.text, self.place)) is not None:
            start, self.place = self.place, sign.end()
            try:
                term = self._read_product()
            except _Unreadable:
                self.place = start
                break
            value = _checked(value + term if sign.group(1) == "+" else value - term)
        return value

    def _read_product(self) -> Fraction | float:
        value = self._read_power()
        while (sign := _PRODUCT_SIGN.match(self.text, self.place)) is not None:
            start, self.place = self.place, sign.end()
            try:
                factor = self._read_power()
            except _Unreadable:
                self.place = start
                break
            if sign.group(1) == "/" and factor == 0:
                raise _Unreadable
            value = _checked(value / factor if sign.group(1) == "/" else value * factor)
        return value

    def _read_power(self) -> Fraction | float:
        self._depth += 1
        if self._depth > _MOST_NESTED:
            raise _Unreadable
        if self._take(_MINUS):
            value = -self._read_power()
        else:
            self._take(_PLUS)
            value = self._read_atom()
            if self._take(_POWER):
                value = _raise_to(value, self._read_power())
        self._depth -= 1
        return value

    def _read_atom(self) -> Fraction | float:
        self._take(_SPACES)
        if self._take(_PI):
            return math.pi
        if self._take(_ROOT):
            return math.sqrt(_positive(self._read_closed()))
        if self._take(_OPENING):
            return self._read_closed()
        literal = _NUMBER.match(self.text, self.place)
        if literal is None:
            raise _Unreadable
        if len(literal.group()) > _MOST_DIGITS:
            self.place = literal.end()
            raise _Unreadable
        self.place = literal.end()
        value = Fraction(_GROUPED.sub("", literal.group()).rstrip("."))
        if (exponent := _EXPONENT.match(self.text, self.place)) is not None:
            self.place = exponent.end()
            return _raise_to(Fraction(10), Fraction(int(exponent.group()[1:]))) * value
        if self._take(_TIMES_PI):
            return float(value) * math.pi
        if (scale := _SCALE.match(self.text, self.place)) is not None:
            self.place = scale.end()
            return value * SCALES[scale.group(1).lower()]
        if value.denominator == 1 and (part := _MIXED.match(self.text, self.place)) is not None:
            numerator, denominator = (int(digits) for digits in part.groups() if digits is not None)
            if denominator:
                self.place = part.end()
                return value + Fraction(numerator, denominator)
        return value

    def _read_closed(self) -> Fraction | float:
        value = self._read_sum()
        if not self._take(_CLOSING):
            raise _Unreadable
        return value


_SUM_SIGN = re.compile(r"\s{0,2}([-+])(?=\s{0,2}[\d.(sp])")
_PRODUCT_SIGN = re.compile(r"\s{0,2}([*/])\s{0,2}(?=[-\d.(sp])|\s{0,2}(x)\s{0,2}(?=10\^)")
_SCALE = re.compile(r"\s(hundred|dozen|thousand|million|billion|trillion)s?\b", re.IGNORECASE)
_MIXED = re.compile(r"\s{0,2}\((\d{1,9})\)/\((\d{1,9})\)|\s(\d{1,9})/(\d{1,9})(?![\d.])")
_PERCENT, _OF = re.compile(r"\s?%"), re.compile(r"\s{0,3}of\s{1,3}")
_MINUS, _PLUS, _POWER = re.compile(r"\s?-"), re.compile(r"\s?\+"), re.compile(r"\s?\^\s?")
_SPACES, _PI, _TIMES_PI = re.compile(r"\s{1,4}"), re.compile(r"pi\b"), re.compile(r"\s?pi\b")
_ROOT, _OPENING, _CLOSING = re.compile(r"sqrt\("), re.compile(r"\("), re.compile(r"\s?\)")


def _checked(value: Fraction | float) -> Fraction | float:
    if isinstance(value, Fraction):
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > 4 * _MOST_DIGITS:
            raise _Unreadable
        return value
    if not math.isfinite(value):
        raise _Unreadable
    return value


def _positive(value: Fraction | float) -> Fraction | float:
    if value < 0:
        raise _Unreadable
    return value


def _raise_to(base: Fraction | float, exponent: Fraction | float) -> Fraction | float:
    """A power, exact where its exponent is a whole number."""
    if isinstance(exponent, Fraction) and exponent.denominator == 1 and isinstance(base, Fraction):
        power = exponent.numerator
        digits = abs(power) * max(base.numerator.bit_length(), base.denominator.bit_length())
        if digits > 4 * _MOST_DIGITS or (base == 0 and power < 0):
            raise _Unreadable
        return base**power
    try:
        return _checked(_positive(float(base)) ** float(exponent))
    except (OverflowError, ZeroDivisionError):
        raise _Unreadable from None
