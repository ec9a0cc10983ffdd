"""Marks that tokenisers write around turns and texts, whatever the chat template."""

import re
from collections.abc import Iterable
from functools import cache

from reward_gateway.sample.turn_marks import END_MARKS

LONGEST_MARK = 64
"""No mark has more characters."""

BEGIN_MARKS = (
    "<s>",
    "<bos>",
    "<|begin_of_text|>",
    "<|startoftext|>",
    "<BOS_TOKEN>",
    "[BOS]",
    "<｜begin▁of▁sentence｜>",
)
"""Beginning of a text; some templates write it before every exchange."""

PADDING = (
    "<pad>",
    "<|pad|>",
    "[PAD]",
    "<PAD>",
    "<unk>",
    "<|finetune_right_pad_id|>",
    "<|vision_pad|>",
    "<｜▁pad▁｜>",
)
"""What fills the rows of a batch up to one length."""

_LEADING_MARKS = (*BEGIN_MARKS, *PADDING, *END_MARKS)
SENTENCE = "<｜begin▁of▁sentence｜>"
"""DeepSeek's begin-of-text mark, which its format begins with: a system turn follows it without a header."""


def _compile_leading(marks: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:\s*(?:{'|'.join(map(re.escape, marks))}))+")


_LEADING = _compile_leading(_LEADING_MARKS)
_BEFORE_FORMAT = _compile_leading(mark for mark in _LEADING_MARKS if mark != SENTENCE)
_CLOSING = "</s>"
_CLOSINGS = re.compile(rf"(?:{_CLOSING})+")
_SENTENCES = re.compile(rf"(?:\s*{SENTENCE})+")
_ROW = 2048
"""Characters at the end of a text that hold all of its marks, as a rule."""


def skip_leading(text: str) -> int:
    """Where a text begins after the marks of its beginning, and padding. Some tokenisers pad with an end mark."""
    match = _LEADING.match(text)
    return match.end() if match else 0


def strip_sentence(text: str) -> str:
    """What stands before DeepSeek's first header, without the marks of the text's beginning."""
    return text[match.end() :] if (match := _SENTENCES.match(text)) else text


def strip_leading(text: str) -> str:
    """A text as formats begin: without padding and marks of its beginning, but for the one that is a format's own."""
    match = _BEFORE_FORMAT.match(text)
    return text[match.end() :] if match else text


def find_end(words: str, ends: tuple[str, ...], closers: tuple[str, ...] = ()) -> int:
    """Where words end before the marks that end a turn or a text, and padding.

    Of the row of marks at the very end, everything from the format's first own mark on goes; without an own one, all of
    it. Without marks nothing goes, white space included.

    Args:
        ends: the format's own end marks.
        closers: further marks of the format that count at the end of a text.
    """
    row, first = _compile_row((*ends, *closers))
    match = row.match(words[: -_ROW - 1 : -1])
    if match is not None and match.end() == _ROW:
        match = row.match(words[::-1])
    if match is None or not match.end():
        return len(words)
    stop = len(words) - match.end()
    found = first.search(words, stop)
    place = found.start() if found else stop
    return place + _length_of_closed_tags(words, place, 1 if _CLOSING in ends else 0)


def _length_of_closed_tags(words: str, place: int, ending: int) -> int:
    """How much of a row of ``</s>`` closes HTML's ``<s>`` in the words before it, and is no mark.

    Args:
        place: where the row of marks begins.
        ending: how many of the row are marks in any case.
    """
    tags = _CLOSINGS.match(words, place)
    row = (tags.end() - place) // len(_CLOSING) if tags else 0
    still_open = words.count("<s>", 0, place) - words.count(_CLOSING, 0, place)
    return len(_CLOSING) * max(0, min(still_open, row - ending))


@cache
def _compile_row(own: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A row of marks at the end of a text, read backwards; and the format's own marks."""
    marks = dict.fromkeys((*own, *END_MARKS, *PADDING))
    backwards = [re.escape(mark[::-1]) for mark in marks]
    first = re.compile("|".join(map(re.escape, own)) or r"(?!)")
    return re.compile(rf"(?:\s*(?:{'|'.join(backwards)}))*"), first
