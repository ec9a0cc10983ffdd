"""Rules that rewrite a text."""

import re
from collections.abc import Callable
from dataclasses import dataclass

Replacement = str | Callable[["re.Match[str]"], str]


@dataclass(frozen=True, slots=True)
class Rewriting:
    """A pattern, and what stands in its place.

    Attributes:
        marks: every match contains one of them. Most texts contain none, which is found out ten times sooner than that
            a pattern matches nowhere.
    """

    pattern: "re.Pattern[str]"
    replacement: Replacement
    marks: tuple[str, ...]

    def __call__(self, text: str) -> str:
        """The text, rewritten wherever the pattern matches."""
        for mark in self.marks:
            if mark in text:
                return self.pattern.sub(self.replacement, text)
        return text


def rewriting(pattern: str, replacement: Replacement, *marks: str) -> Rewriting:
    """A rule of a pattern that is not compiled yet; see :class:`Rewriting`."""
    return Rewriting(re.compile(pattern), replacement, marks)
