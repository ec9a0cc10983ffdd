"""Forms with an equality of their own: congruences, numbers in a base, times of day, ratios."""

import re
from fractions import Fraction

from ..answers.numbers import read_number
from .decision import Decision
from .listed import SEPARATOR, split_top
from .sequences import DOTS

_CONGRUENCE = re.compile(
    r"(?:(.*?)\\equiv\s*)?(.*?)\\?\(?\s*(?:\\[bp]?mod|\\text\s?\{\s*mod\s*\})\s*(?:\{([^{}]*)\}|(\d+))\s*\)?\s*",
    re.DOTALL,
)


def compare_congruences(wanted: str, given: str) -> Decision | None:
    """Congruences with one modulus and the same residues; a remainder and its value. None for other texts."""
    if "mod" not in wanted and "mod" not in given:
        return None
    if "mod" not in wanted or "mod" not in given:
        remainder, value = (given, wanted) if "mod" in given else (wanted, given)
        return Decision(_remainder(remainder) == _value_of(value) is not None, "exact")
    one, other = _CONGRUENCE.fullmatch(wanted), _CONGRUENCE.fullmatch(given)
    if one is None or other is None:
        return None
    modulus, again = (read_number(found.group(3) or found.group(4) or "") for found in (one, other))
    if modulus is None or again is None or modulus.value != again.value or not modulus.value:
        return Decision(False, "exact")
    residues: list[set[Fraction]] = []
    for found in (one, other):
        numbers = [read_number(part) for part in split_top(SEPARATOR.sub(", ", found.group(2)))]
        values = [number.value for number in numbers if number is not None and isinstance(number.value, Fraction)]
        if len(values) < len(numbers):
            return None
        residues.append({value % Fraction(modulus.value) for value in values})
    same_name = (one.group(1) or "").strip() == (other.group(1) or "").strip() or not one.group(1) or not other.group(1)
    return Decision(residues[0] == residues[1] and same_name, "exact")


_REMAINDER = re.compile(r"\s*(-?\d{1,99})\s*\\(?:mod|bmod)\s*\{?(\d{1,99})\}?\s*")


def _remainder(text: str) -> Fraction | None:
    r"""The value of ``17 \bmod 5``; None for a congruence or anything else."""
    found = _REMAINDER.fullmatch(text)
    return None if found is None or not int(found.group(2)) else Fraction(int(found.group(1)) % int(found.group(2)))


def _value_of(text: str) -> Fraction | float | None:
    number = read_number(text)
    return None if number is None else number.value


_BASED = re.compile(r"\(?\s*([0-9A-F]+)\s*\)?\s*_\s?\{?\s*(\d{1,2}|\\text\s?\{\s*\w+\s*\})\s*\}?")


def compare_bases(wanted: str, given: str) -> Decision | None:
    """Numbers in a base that is named: the same digits in the same one."""
    one, other = _BASED.fullmatch(wanted.strip()), _BASED.fullmatch(given.strip())
    if one is None and other is None:
        return None
    return Decision(one is not None and other is not None and one.groups() == other.groups(), "exact")


_TIME = re.compile(r"0?(\d{1,2}:[0-5]\d(?::[0-5]\d)?)(?:\s?(?:\\text\s?\{)?\s?([ap])\.?\s?m\.?\s?\}?)?", re.IGNORECASE)


def compare_times(wanted: str, given: str) -> Decision | None:
    """Times of day, which are no ratios: 12:00 is not 1:00."""
    one, other = _TIME.fullmatch(wanted), _TIME.fullmatch(given)
    if one is None or other is None:
        return None
    halves = {one.group(2) or other.group(2), other.group(2) or one.group(2)}
    same_half = len({half.lower() for half in halves if half}) < 2
    return Decision(one.group(1) == other.group(1) and same_half, "exact")


def compare_ratios(wanted: str, given: str) -> Decision | None:
    """Ratios of three numbers and more: 2:3:4 is 4:6:8, which is no division by division."""
    one, other = (split_top(text, ":") for text in (wanted, given))
    if max(len(one), len(other)) < 3 or any(mark in text for mark in (DOTS, "=") for text in (wanted, given)):
        return None
    values, others = ([_value_of(part) for part in side] for side in (one, other))
    if None in values or None in others or len(values) != len(others):
        return Decision(False, "exact") if len(one) != len(other) else None
    pairs = [
        (left, right) for left, right in zip(values, others, strict=True) if left is not None and right is not None
    ]
    (first, again), rest = pairs[0], pairs[1:]
    return Decision(bool(first and again) and all(left * again == right * first for left, right in rest), "exact")
