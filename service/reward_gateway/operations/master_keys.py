"""Texts without content that make generative judges say yes ("master keys").

The ten keys are those of One Token to Fool LLM-as-a-Judge (arXiv 2507.08794); the rule is this project's.
It never goes by length: a real answer can be one character.
"""

import unicodedata

from .texts import folded

MASTER_KEYS = (
    " ",
    ".",
    ",",
    ":",
    "Thought process:",
    "Let's solve this problem step by step.",
    "Solution",
    "解",
    "かいせつ",
    "Respuesta",
)

OPENERS = ("Let's think step by step.", "The answer is", "Final answer", "Here is the solution")
"""Openings of the same kind that are no answer by themselves."""


def content_free(text: str, *references: str | None) -> bool:
    """Whether a text says nothing: it is empty, only punctuation, or only openers, the master keys among them.

    A text that equals one of the references says what it should, whatever it is.
    """
    plain = _strip_markup(text)
    if any(reference is not None and plain == _strip_markup(reference) for reference in references):
        return False
    place = _skip_marks(plain, 0)
    while place < len(plain):
        opener = next((opener for opener in _OPENINGS if _stands_at(plain, place, opener)), None)
        if opener is None:
            return False
        place = _skip_marks(plain, place + len(opener))
    return True


def _strip_markup(text: str) -> str:
    return folded(text).replace("’", "'")


def _skip_marks(text: str, start: int) -> int:
    """The place of the first character from ``start`` on that is no punctuation, space or control character."""
    for place in range(start, len(text)):
        if unicodedata.category(text[place])[0] not in "PZC":
            return place
    return len(text)


def _stands_at(text: str, place: int, opener: str) -> bool:
    """Whether the opener stands at a place as words of its own: no "Solution" in "Solutions"."""
    end = place + len(opener)
    return text.startswith(opener, place) and not text[end : end + 1].isalnum()


def _find_core(key: str) -> str:
    """An opener without the marks around it."""
    plain = _strip_markup(key)
    return plain[_skip_marks(plain, 0) :].rstrip(".: ")


_OPENINGS = sorted(
    {core for key in MASTER_KEYS + OPENERS if (core := _find_core(key))},
    key=len,
    reverse=True,
)
