"""Words, n-grams and answers in texts: what rules and guards count alike."""

import re
import unicodedata
from collections.abc import Sequence

WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """What whitespace separates."""
    return text.split()


def tokens(text: str) -> list[str]:
    """Runs of letters, digits and underscores, in lower case."""
    return WORD.findall(text.lower())


def ngrams(sequence: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n neighbours, in order; none where the sequence is shorter."""
    return list(zip(*(sequence[i:] for i in range(n)), strict=False))


def repeated_share(text: str, n: int) -> float:
    """Share of n-grams of words that have occurred before: 1 - distinct / all, in [0, 1); 0 for a short text."""
    grams = ngrams(text.lower().split(), n)
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def folded(text: str) -> str:
    """The text for comparisons that ignore case, width and spacing: NFKC, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
