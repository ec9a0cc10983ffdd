"""Angles in degrees and in radians."""

import re


def in_one_unit(wanted: str, given: str) -> tuple[str, str]:
    """Degrees as radians where only one side has them and the other is a multiple of pi."""
    wanted, given = (_DEGREES_OF_ANGLE.sub(_turn_to_radians, text) for text in (wanted, given))
    marks = ["^\\circ" in text or "^{\\circ}" in text for text in (wanted, given)]
    if marks == [True, False] and "\\pi" in given:
        return _to_radians(wanted), given
    if marks == [False, True] and "\\pi" in wanted:
        return wanted, _to_radians(given)
    return wanted, given


_DEGREES_OF_ANGLE = re.compile(
    r"(\\(?:sin|cos|tan|cot|sec|csc)(?:\s?\^\s?(?:\d|\{[^{}]*\}))?)\s*[({]?\s*(-?\d+(?:\.\d+)?)\s?\^\s?\{?\s?\\circ\s?\}?\s*[)}]?"
)


def _turn_to_radians(angle: "re.Match[str]") -> str:
    return f"{angle.group(1)}(\\frac{{{angle.group(2)}\\cdot \\pi}}{{180}})"


def _to_radians(text: str) -> str:
    bare = re.sub(r"\s?\^\s?\{?\\circ\s?\}?", "", text)
    return f"\\frac{{{bare}\\cdot \\pi}}{{180}}"
