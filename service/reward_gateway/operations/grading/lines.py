"""Lines of a reply without their Markdown."""

import re

from .visible import split_lines

_HEADING = re.compile(r"\A#{1,6}\s+")
_ASTERISKS = re.compile(r"\*+")
_UNDERSCORES = re.compile(r"(?<!\w)_+|_+(?!\w)")
LONGEST = 200
"""Most characters of what is read within brackets."""

_BRACKETS = {"[": "]", "(": ")", "{": "}", "<": ">"}


def content_lines(text: str) -> list[str]:
    """The lines of a text that hold something."""
    return [line.strip() for line in split_lines(text) if line.strip()]


def plain_emphasis(text: str) -> str | None:
    """A text without emphasis and a heading's marks; None where one is left open."""
    if len(_ASTERISKS.findall(text)) % 2:
        return None
    return _UNDERSCORES.sub("", _HEADING.sub("", text.strip()).replace("*", "")).strip()


def peel_brackets(text: str) -> str:
    """A text without the pairs of brackets around all of it, and without a full stop in or behind them."""
    text = text.strip()
    while len(text) <= LONGEST:
        bare = text[:-1].rstrip() if text.endswith(".") else text
        if len(bare) >= 2 and _BRACKETS.get(bare[0]) == bare[-1]:
            text = bare[1:-1].strip()
        else:
            break
    return text


def bare_line(text: str) -> str | None:
    """What a text holds alone: without emphasis, brackets and one full stop; None where emphasis is left open."""
    plain = plain_emphasis(text)
    if plain is None:
        return None
    return peel_brackets(plain).removesuffix(".").rstrip()
