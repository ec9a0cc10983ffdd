"""Closed label sets: a label's value is one of a few known names, or ``other``.

So callers cannot create time series, and text from requests cannot become a label.
"""

from collections.abc import Iterable

OTHER = "other"


class Names:
    """The known values of one label; it grows only by names from the operator's own files."""

    __slots__ = ("_known",)

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = frozenset(known)

    def register(self, names: Iterable[str]) -> None:
        """Add names from the recipes, the model repository or the registries of the code."""
        self._known |= frozenset(names)

    def known_or_other(self, value: str) -> str:
        return value if value in self._known else OTHER
