"""Numbers with their units: 36 km/h, $5, 25 °C, 1 h 30 min, 50 %."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from .final import final_answer
from .number_notation import TEXT_COMMAND, plain_notation
from .number_words import words_as_digits
from .numbers import Number, find_numbers, marked_answer
from .units import Unit, convert, join_phrases, read_unit

_LONGEST = 20_000
"""Characters of the end of a text among which a quantity is looked for."""
_LONGEST_GAP = 12


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit.

    Attributes:
        value: exact where it can be, in the unit.
        units: what the unit may mean; none if there is no unit, or an unknown one.
        named: a word stands where the unit would, but is none that is known.
    """

    value: Fraction | float
    units: tuple[Unit, ...]
    named: bool = False

    def readings(self, wanted: Unit) -> Iterator[Fraction | float]:
        """Its values in a unit: as many as its own unit has meanings that measure the same."""
        for unit in self.units or (_BARE if _is_share(wanted) and not self.named else ()):
            if (value := convert(self.value, unit, wanted)) is not None:
                yield value


_BARE: tuple[Unit, ...] = ({},)
_SHARES = frozenset(("percent", "permille", "ppm"))


def _is_share(unit: Unit) -> bool:
    """Whether a unit is a pure number, so that a number without a unit is in it: 0.5 is 50 %."""
    return len(unit) == 1 and unit.keys() <= _SHARES


def last_quantity(text: str) -> Quantity | None:
    """The last number in an answer, with the unit that follows it (or the currency before it); None without one."""
    plain = _prepare(final_answer(text))
    found = _find_quantities(plain)
    return _join_parts(plain, found)[0] if found else None


def read_quantity(text: str) -> Quantity | None:
    """The quantity that a whole text is, or its box or marked answer; None if it is none, has no unit, or says more."""
    plain = _prepare(final_answer(text)).strip().rstrip(".。").strip()
    found = _find_quantities(plain)
    if not found:
        return None
    quantity, start = _join_parts(plain, found)
    return quantity if quantity.units and start == 0 and found[-1].end == len(plain) else None


@dataclass(frozen=True, slots=True)
class _Found:
    quantity: Quantity
    start: int
    end: int


def _find_quantities(plain: str) -> list[_Found]:
    """The quantities of a text in order; those before an offer of several (5 km or 6 km) and the offer are left out."""
    found: list[_Found] = []
    for span in find_numbers(plain):
        if span.offered and found:
            found.clear()
        elif span.counts:
            units, end = _read_unit_of(span.number, plain, span.end)
            named = not units and _WORD.match(plain, span.end) is not None
            found.append(_Found(Quantity(span.number.value, tuple(units), named), span.start, end))
    return found


_WORD = re.compile(r"\s?[^\W\d_]")


def _read_unit_of(number: Number, plain: str, place: int) -> tuple[list[Unit], int]:
    if number.percent:
        return [{"percent": 1}], place
    return read_unit(plain, place) or ([], place)


def _join_parts(plain: str, found: list[_Found]) -> tuple[Quantity, int]:
    """The last quantity together with the greater units before it (1 h 30 min), and where it begins."""
    last = found[-1].quantity
    start = found[-1].start
    for before in reversed(found[:-1]):
        gap = plain[before.end : start]
        if len(gap) > _LONGEST_GAP or not _GAP.fullmatch(gap):
            break
        joined = _add(before.quantity, last)
        if joined is None:
            break
        last, start = joined, before.start
    return last, start


_GAP = re.compile(r"\s*(?:,\s*)?(?:(?:and|&)\s+)?", re.IGNORECASE)


def _add(greater: Quantity, less: Quantity) -> Quantity | None:
    """A whole number of a unit and less than one of it, as one quantity in the smaller unit; else None."""
    if not isinstance(greater.value, Fraction) or greater.value.denominator != 1 or greater.value < 0:
        return None
    for unit in greater.units:
        for other in less.units:
            if unit == other or not unit.keys().isdisjoint(_NO_PARTS):
                continue
            one, value = convert(Fraction(1), unit, other), convert(greater.value, unit, other)
            if one is not None and value is not None and 0 <= less.value < one:
                return Quantity(value + less.value, (other,))
    return None


_NO_PARTS = frozenset(("degree_Celsius", "degree_Fahrenheit", "kelvin", "percent"))

_DOLLAR = "\ue000"
"""Stands for a dollar sign that is one, and no mark of mathematics."""
_MATHEMATICS = re.compile(r"(?<!\d)\$(?=\S)([^$\n]{1,200})(?<=\S)\$(?!\d)")
_AMOUNT = r"-?\s?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:\s(?:thousand|million|billion|trillion)\b)?"
_SIGNS = {_DOLLAR: "dollar", "€": "euro", "£": "sterling", "₹": "rupee", "¥": "yensign", "￥": "yensign", "₩": "won"}
_SIGN = "[" + "".join(_SIGNS) + "]"
_SIGN_BEFORE = re.compile(rf"(?:\b(?:US|USD)\s?)?({_SIGN})\s?({_AMOUNT})", re.IGNORECASE)
_SIGN_AFTER = re.compile(rf"(?<=\d)\s?({_SIGN})")
_CODE_BEFORE = re.compile(rf"\b(USD|EUR|GBP|INR|JPY|CNY|RMB|KRW|CHF|Rs)\b\.?\s?({_AMOUNT})")
_LETTERS = (
    (TEXT_COMMAND, r" \1 "),
    (re.compile(r"\\(?:Omega|ohm)(?![a-z])"), "Ω"),
    (re.compile(r"\\mu(?![a-z])\s*"), "µ"),
    (re.compile(r"\\(?:AA|angstrom)(?![a-z])"), "Å"),
    (re.compile(r"\\(?:pounds)(?![a-z])"), "£"),
    (re.compile(r"\\(?:euro|texteuro)(?![a-z])"), "€"),
    (re.compile(r"\\(?:per)(?![a-z])"), "/"),
)


def _prepare(text: str) -> str:
    """A text in plain notation, with the currency after the amount."""
    text = marked_answer(text)[-_LONGEST:]
    text = text.replace("\\$", _DOLLAR).replace("$$", " ")
    text = _MATHEMATICS.sub(r" \1 ", text).replace("$", _DOLLAR)
    for pattern, letter in _LETTERS:
        text = pattern.sub(letter, text)
    text = _SIGN_BEFORE.sub(lambda found: f"{found[2]} {_SIGNS[found[1]]}", text)
    text = _SIGN_AFTER.sub(lambda found: f" {_SIGNS[found[1]]}", text)
    text = _CODE_BEFORE.sub(r"\2 \1", text)
    text = plain_notation(text)
    if not any(character.isdigit() for character in text):
        text = words_as_digits(text)
    return join_phrases(text)
