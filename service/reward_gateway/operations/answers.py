r"""Finding the answer in a response: the last ``\boxed{}``, a tag's content, a number, a choice. All in linear time."""

import re
from collections.abc import Callable

from .texts import folded

# Digits with thousands separators or without, a fraction of decimals, an exponent.
_NUMBER = re.compile(
    r"[-+−]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?|[-+−]?\.\d+(?:[eE][-+]?\d{1,3})?"
)
_ANSWER_LEAD = re.compile(
    r"(?:answer|option|choice)\s{0,3}(?:is|:|=)?\s{0,3}[:*(\[{\"']{0,4}\s{0,3}([a-z])\b", re.IGNORECASE
)
# A letter by itself; A and I are words too, and have to be marked as more than that.
_LONE_LETTER = re.compile(r"(?<![\w'’])(?:([B-HJ-Z])(?![\w'’])|(?<=[(\[])([AI])(?=[)\]])|([AI])(?=[).:\]]|\s*\Z))")
_BOX = re.compile(r"\\(?:boxed|fbox)\s?\{")


def last_boxed(text: str) -> str | None:
    r"""What stands in the last ``\boxed{…}`` (or ``\fbox{…}``) whose braces balance; None without one."""
    end = len(text)
    for found in reversed(list(_BOX.finditer(text))):
        content = _match_braces(text, found.end() - 1, end)
        if content is not None:
            return content.strip()
        end = found.start()  # what did not balance up to here will not further on
    return None


def _match_braces(text: str, opening: int, end: int) -> str | None:
    depth = 0
    for place in range(opening, end):
        if text[place] == "{":
            depth += 1
        elif text[place] == "}":
            depth -= 1
            if depth == 0:
                return text[opening + 1 : place]
    return None


def last_tagged(text: str, tag: str) -> str | None:
    """What stands between the last ``</tag>`` and the ``<tag>`` before it; None without them."""
    closing = text.rfind(f"</{tag}>")
    opening = text.rfind(f"<{tag}>", 0, closing) if closing >= 0 else -1
    return text[opening + len(tag) + 2 : closing].strip() if opening >= 0 else None


def final_answer(text: str) -> str:
    r"""The answer that a response commits to: in ``<answer>`` or ``\boxed{}``, else after ``</think>``, else all."""
    tagged = last_tagged(text, "answer")
    within = text.rpartition("</think>")[2] if tagged is None else tagged
    boxed = last_boxed(within)
    return boxed if boxed is not None else within.strip()


def last_number(text: str) -> float | None:
    """The last number in a text: 1,234.5, -3, .5, 6e-3; None without one, or where a double cannot hold it."""
    numbers = _NUMBER.findall(text)
    if not numbers:
        return None
    value = float(numbers[-1].replace(",", "").replace("−", "-"))
    return value if abs(value) != float("inf") else None


def choice(text: str, options: str) -> str | None:
    """The letter of a multiple choice that a response commits to; None without one.

    In this order: a final answer that begins with the letter; the last "answer is X"; the last letter alone.
    """
    letters = set(options.upper())
    answer = final_answer(text)
    begins = re.match(r"[(\[*\"'\s]{0,8}([A-Za-z])(?![\w'’])", answer)
    if begins and (len(answer) <= 3 or not answer[begins.end() :].strip(" .):]*\"'") or answer[begins.end()] in ").:]"):
        letter = begins.group(1).upper()
        if letter in letters:
            return letter
    named = [found.group(1).upper() for found in _ANSWER_LEAD.finditer(answer)]
    alone = [found.group(found.lastindex or 0) for found in _LONE_LETTER.finditer(answer)]
    return next((letter for letter in [*reversed(named), *reversed(alone)] if letter in letters), None)


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
