"""How texts are made alike before they are compared."""

import string
import unicodedata
from collections.abc import Callable

from ..texts import folded


def squad(text: str) -> str:
    """The text as reading-comprehension scores compare it: lower case, no punctuation, no articles, single spaces.

    A text of nothing but articles ("A") or punctuation ("++") keeps them: an answer is empty only if nothing was said.
    """
    lower = unicodedata.normalize("NFC", text).lower()
    words = lower.translate(_NO_PUNCTUATION).split() or lower.split()
    return " ".join([word for word in words if word not in ("a", "an", "the")] or words)


_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)

NORMALISE: dict[str, Callable[[str], str]] = {
    "none": lambda text: text,
    "strip": lambda text: text.strip(),
    "fold": folded,
    "squad": squad,
}
"""How texts are made alike before they are compared."""
