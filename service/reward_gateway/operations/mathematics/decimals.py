"""Two numbers: equal, or near enough for the digits that a decimal shows."""

import re
from fractions import Fraction

from ..answers.numbers import Number
from .decision import Decision, Tolerance


def decide_numbers(wanted: Number, given: Number, wanted_text: str, given_text: str, tolerance: Tolerance) -> Decision:
    """The verdict over two exact numbers; their texts say how many digits a decimal shows."""
    for one in wanted.readings():
        for other in given.readings():
            if one == other:
                return Decision(True, "exact" if isinstance(one, Fraction) and one.denominator == 1 else "rational")
    if (_shown_digits(wanted_text), _shown_digits(given_text)) == (None, None):
        return Decision(False, "exact")
    for one in wanted.readings():
        for other in given.readings():
            if _are_near(Fraction(one), Fraction(other), wanted_text, given_text, tolerance):
                return Decision(True, "numeric")
    return Decision(False, "numeric")


_DECIMAL = re.compile(r"\d*\.\d+")


def _shown_digits(text: str) -> int | None:
    """Significant digits of a decimal; None if a text has no decimal point."""
    found = _DECIMAL.search(text) if "." in text else None
    return None if found is None else len(found.group().replace(".", "").lstrip("0"))


def _are_near(wanted: Fraction, given: Fraction, wanted_text: str, given_text: str, tolerance: Tolerance) -> bool:
    """Two decimals within the relative tolerance; a decimal and an exact value to the digits that the decimal shows."""
    decimals = (_shown_digits(wanted_text), _shown_digits(given_text))
    difference = abs(wanted - given)
    if None not in decimals:
        return difference <= Fraction(tolerance.rel_tol) * abs(wanted)
    digits = decimals[0] if decimals[0] is not None else decimals[1]
    exact = given if decimals[0] is not None else wanted
    if tolerance.strict or digits is None or digits < tolerance.min_digits or exact.denominator == 1:
        return False
    places = _count_places(wanted_text if decimals[0] is not None else given_text)
    shown = given if exact is wanted else wanted
    return _shows(shown, exact, places)


def _count_places(text: str) -> int:
    """Digits behind the point of a decimal."""
    found = re.search(r"\.(\d+)", text)
    return 0 if found is None else len(found.group(1))


def _shows(decimal: Fraction, exact: Fraction, places: int) -> bool:
    """Whether a decimal is an exact value to the digits that it shows, rounded or cut off."""
    difference = abs(decimal - exact)
    unit = Fraction(1, 10**places)
    return difference <= unit / 2 or (abs(decimal) <= abs(exact) and difference < unit)
