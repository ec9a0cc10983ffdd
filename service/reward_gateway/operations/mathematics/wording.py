"""Answers in words: the letter of an option, a word, a list of words."""

import re

from ..answers.choices import find_letters
from ..answers.numbers import Number
from ..answers.rewriting import rewriting
from .decision import Decision
from .listed import SEPARATOR
from .notation import plain_words

_ONE_LETTER = re.compile(r"\(?\s*([A-J])\s*\)?")
_LETTER_MARKS = re.compile(r"[(.)]|\\text")
_PRODUCT = re.compile(r"[a-z]{2,3}")


def decide_letter(wanted: str, response: str) -> Decision | None:
    """An option of a multiple choice as reference: (C) is C, and \\textbf{(C)} 5 is too."""
    found = _ONE_LETTER.fullmatch(_leave_commands_out(wanted))
    if found is None:
        return None
    letters = find_letters(response, "ABCDEFGHIJ")
    if letters == frozenset(found.group(1)) and _LETTER_MARKS.search(response + wanted):
        return Decision(True, "text")
    return None


def decide_words(wanted: str, given: str, number: Number | None) -> Decision | None:
    """The verdict where the reference is a word or a list of words; None if it is not (``number``: what it is)."""
    words = plain_words(wanted) if number is None else None
    if words is None and _list_words(wanted) is None:
        return None
    said = plain_words(given)
    if (one := _list_words(wanted)) is not None and (other := _list_words(given)) is not None:
        return Decision(one == other, "text", several=len(other) > len(one))
    if _PRODUCT.fullmatch(wanted) and _PRODUCT.fullmatch(given):
        return Decision(sorted(wanted) == sorted(given), "symbolic")
    if said == words:
        return Decision(not _is_product_in_other_case(wanted, given), "text")
    return Decision(False, "text") if said is not None else None


def _is_product_in_other_case(wanted: str, given: str) -> bool:
    """Whether two letters are no word but a product, and differ in case: Ab is not aB."""
    pair = wanted.strip(), given.strip()
    letters = all(len(text) == 2 and text.isascii() and text.isalpha() for text in pair)
    return letters and pair[0] != pair[1] and pair[0].lower() not in ("no", "ok", "up", "am", "pm")


def _list_words(text: str) -> list[str] | None:
    """The words or letters of a list, sorted; None for anything else."""
    bare = TEXT_COMMAND.sub(r"\1", text)
    parts = [part.strip() for part in SEPARATOR.sub(", ", bare).split(",")]
    if len(parts) < 2 or not all(_WORDS.fullmatch(part) for part in parts):
        return None
    return sorted(part.casefold() if len(part) > 1 else part for part in parts)


_leave_commands_out = rewriting(r"\\(?:text\w{0,2}|mathrm|mathbf|mbox|bf|rm)\s?\{([^{}]*)\}", r"\1", "\\")
TEXT_COMMAND = re.compile(r"\\text\s?\{([^{}]*)\}")
_WORDS = re.compile(r"[^\W\d_]+(?:\s[^\W\d_]+){0,3}")
