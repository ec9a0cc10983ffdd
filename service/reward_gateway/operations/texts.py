"""N-grams and foldings of texts: what rules and guards compare alike. Words are those of :mod:`.tokens`."""

import unicodedata
from collections.abc import Sequence


def ngrams(sequence: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n neighbours, in order; none where the sequence is shorter."""
    return list(zip(*(sequence[i:] for i in range(n)), strict=False))


def repeated_share(words: Sequence[str], n: int) -> float:
    """Share of n-grams that have occurred before: 1 - distinct / all, in [0, 1); 0 for less than n words."""
    grams = ngrams(words, n)
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def folded(text: str) -> str:
    """The text for comparisons that ignore case, width, spacing and invisible characters.

    Superscripts, fractions and enclosed digits stay what they are: 10² is not 102.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", "".join(map(_fold_width, text)))
    return " ".join(text.casefold().split())


def _fold_width(character: str) -> str:
    if character.isascii():
        return character
    if character in _INVISIBLE:
        return ""
    wide = unicodedata.decomposition(character).startswith(("<wide>", "<narrow>"))
    return unicodedata.normalize("NFKC", character) if wide else character


_INVISIBLE = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad")
_BLANK = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
"""Letters, marks and signs that show nothing: fillers of Hangul, Braille's empty cell, the joiner of graphemes."""


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: spaces, control characters and invisible ones alone."""
    return all(character in _BLANK or unicodedata.category(character)[0] in "ZC" for character in text)
