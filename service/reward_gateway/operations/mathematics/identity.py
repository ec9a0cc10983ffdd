"""Whether two expressions are identical, by their values at a random place of a finite field: no computer algebra."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .evaluation import evaluate
from .prime_field import UnreadableExpressionError, Value

_LONGEST = 300
"""Characters of an expression that is evaluated here: longer ones would hold up the event loop."""


def are_identical(one: str, other: str) -> bool | None:
    """Whether two expressions in LaTeX, or tuples, intervals, sets, lists and equations of them, are identical.

    None: one of them is not read here, or nothing is known. Equations and lists are never found to differ.
    """
    if max(len(one), len(other)) > _LONGEST:
        return None
    try:
        return _compare(one.strip(), other.strip())
    except (UnreadableExpressionError, ZeroDivisionError):
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
            raise UnreadableExpressionError
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
