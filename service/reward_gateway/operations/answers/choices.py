"""The letter of a multiple choice."""

import re

from .final import final_answer

_ANSWER_LEAD = re.compile(
    r"(?:answer|option|choice)\s{0,3}(?:is|:|=)?\s{0,3}[:*(\[{\"']{0,4}\s{0,3}([a-z])\b", re.IGNORECASE
)
# A letter by itself; A and I are words too, and have to be marked as more than that.
_LONE_LETTER = re.compile(r"(?<![\w'’])(?:([B-HJ-Z])(?![\w'’])|(?<=[(\[])([AI])(?=[)\]])|([AI])(?=[).:\]]|\s*\Z))")


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
