"""How texts are made alike before they are compared."""

from collections.abc import Callable

from ..texts import folded


def squad(text: str) -> str:
    """The text as reading-comprehension scores compare it: lower case, no punctuation, no articles, single spaces."""
    bare = "".join(character for character in text.lower() if character not in _PUNCTUATION)
    return " ".join(word for word in bare.split() if word not in ("a", "an", "the"))


_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")

NORMALISE: dict[str, Callable[[str], str]] = {
    "none": lambda text: text,
    "strip": lambda text: text.strip(),
    "fold": folded,
    "squad": squad,
}
"""How texts are made alike before they are compared."""
