"""Answers of several values: how they are parted, how many there are, and what the names before them say."""

import re
from collections.abc import Sequence

from ..answers.numbers import read_number

SEPARATOR = re.compile(
    r"\s*,?\s*(?:\\text\s?\{\s*,?\s*(?:or|and)\s*\}|(?<![A-Za-z\\])(?:or|and)(?![A-Za-z])|\\lor|\\vee|\\land|\\wedge|或|和|;)"
    r"\s*"
)
_NAME = re.compile(
    r"\s*(?:(?:m\s?)?(?:\\(?:angle|measuredangle|triangle|overline|overrightarrow|vec|arc)\s?|\|)?(?:\{?[A-Za-z]{1,3}\}?|"
    r"\\[A-Za-z]+)\|?|\\text\s?\{[^{}]*\}|[A-Za-z][A-Za-z ]{2,40})(?:\s?_\s?(?:\{[^{}]*\}|\w))?'?"
    r"(?:\s?\(\s?[A-Za-z](?:\s?,\s?[A-Za-z])*\s?\))?\s*"
)
RELATION = re.compile(r"\\le(?![a-z])|\\ge(?![a-z])|<|>")


def spread_signs(text: str) -> str:
    r"""Every value of a list with a ± as two: ``1 \pm \sqrt{2}`` is ``1 + \sqrt{2}, 1 - \sqrt{2}``."""
    if len(_PLUS_MINUS.findall(text)) == 0:
        return text
    values: list[str] = []
    for part in split_top(text):
        if len(_PLUS.findall(part)) == 1:
            values.append(_MINUS.sub("-", _PLUS.sub("+", part)).removeprefix("+").strip())
            values.append(_MINUS.sub("+", _PLUS.sub("-", part)))
        else:
            values.append(part)
    return ", ".join(values)


_PLUS, _MINUS = re.compile(r"\\pm(?![a-z])"), re.compile(r"\\mp(?![a-z])")


def split_top(text: str, separator: str = ",") -> list[str]:
    """A text parted at the separators that stand in no bracket."""
    parts, depth, start = list[str](), 0, 0
    for place, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(0, depth - 1)
        elif character == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [part.strip() for part in (*parts, text[start:])]


def values_of(equation: str, other: str) -> str | None:
    """What a named equation says ("x = 5", "a = 1, b = 2", "3 + 2 = 5"); None if it is no name for a value."""
    values: list[str] = []
    inside = _strip_brackets(equation)
    for part in split_top(inside):
        sides = split_top(part, "=")
        if len(sides) == 1:
            values.append(sides[0])
            continue
        if not _names_value(sides):
            return None
        values.append(sides[-1])
    if len(values) == 1:
        return values[0]
    joined = ", ".join(values)
    return f"({joined})" if other.strip().startswith("(") else joined


def _names_value(sides: Sequence[str]) -> bool:
    """Whether the sides of an equation say what its last one is: a name, a computation, or both in a chain."""
    if all(_is_name(side) for side in sides[:-1]):
        return True
    computed, result = read_number(sides[-2]), read_number(sides[-1])
    if computed is not None and result is not None:
        return computed.value == result.value
    return len(sides) > 2 and _is_name(sides[0])


def _is_name(side: str) -> bool:
    """Whether a side is a name, names of a pair "(x, y)", or those of a ratio "a : b"."""
    return _NAMES.fullmatch(side) is not None or all(_NAME.fullmatch(part) for part in side.split(":"))


_NAMES = re.compile(r"\s*\(\s*\\?[A-Za-z]\w*(?:_\w)?(?:\s*,\s*\\?[A-Za-z]\w*(?:_\w)?){1,5}\s*\)\s*")


def _strip_brackets(text: str) -> str:
    found = re.fullmatch(r"\s*\\?[{(](.*?)\\?[})]\s*", text, re.DOTALL)
    if found is None or _PAIRS_APART.search(found.group(1)):
        return text
    if len(split_top(text)) == 1 and "=" in found.group(1) and len(split_top(found.group(1))) > 1:
        return found.group(1)
    return text


_PAIRS_APART = re.compile(r"\A[^(){}]*[)}]")
"""What stands between the first and the last bracket of "(x, y) = (1, 2)", which are no pair."""


def count_answers(text: str) -> int | None:
    """How many values an answer has; None for a set, in which a value may be named twice, and for relations."""
    text = text.strip()
    if RELATION.search(text) or "\\cup" in text or "\\in " in text or "\\cap" in text:
        return None
    if text.startswith("\\{"):
        return None
    inner = re.fullmatch(r"[(\[](.*)[)\]]", text, re.DOTALL)
    parts = split_top(text)
    if len(parts) == 1 and inner is not None and len(split_top(inner.group(1))) > 1:
        parts = split_top(inner.group(1))
    if len(parts) == 1 and _ROW_OF_NUMBERS.fullmatch(text):
        return len(text.split())
    return sum(2 if _PLUS_MINUS.search(part) else 1 for part in parts)


_ROW_OF_NUMBERS = re.compile(r"-?\d+(?:\.\d+)?(?:\s+-?\d+(?:\.\d+)?)+")
_PLUS_MINUS = re.compile(r"\\(?:pm|mp)(?![a-z])")
