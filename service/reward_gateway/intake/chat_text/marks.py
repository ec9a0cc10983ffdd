"""Marks that tokenisers write around turns and texts, whatever the chat template."""

import re
from collections.abc import Iterable
from functools import cache

from reward_gateway.sample.turn_marks import END_MARKS

LONGEST_MARK = 64
"""No mark has more characters."""

BEGIN_MARKS = ("<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>", "<BOS_TOKEN>", "<｜begin▁of▁sentence｜>")
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

_LEADING_MARKS = (*BEGIN_MARKS, *PADDING, "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "</s>")
SENTENCE = "<｜begin▁of▁sentence｜>"
"""DeepSeek's begin-of-text mark, which its format begins with: a system turn follows it without a header."""


def _compile_leading(marks: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:\s*(?:{'|'.join(map(re.escape, marks))}))+")


_LEADING = _compile_leading(_LEADING_MARKS)
_BEFORE_FORMAT = _compile_leading(mark for mark in _LEADING_MARKS if mark != SENTENCE)
_ROW = 2048
"""Characters at the end of a text that hold all of its marks, as a rule."""


def skip_leading(text: str) -> int:
    """Where a text begins after the marks of its beginning, and padding. Some tokenisers pad with an end mark."""
    match = _LEADING.match(text)
    return match.end() if match else 0


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
    own = (*ends, *closers)
    struck_out = "</s>" not in ends and "<s>" in words  # HTML, whose tags are no marks
    row, first = _compile_row(own, struck_out)
    match = row.match(words[: -_ROW - 1 : -1])
    if match is not None and match.end() == _ROW:
        match = row.match(words[::-1])
    if match is None or not match.end():
        return len(words)
    stop = len(words) - match.end()
    found = first.search(words, stop)
    return found.start() if found else stop


@cache
def _compile_row(own: tuple[str, ...], struck_out: bool) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A row of marks at the end of a text, read backwards; and the format's own marks."""
    marks = dict.fromkeys((*own, *END_MARKS, *PADDING))
    backwards = [re.escape(mark[::-1]) for mark in marks if not (struck_out and mark == "</s>")]
    first = re.compile("|".join(map(re.escape, own)) or r"(?!)")
    return re.compile(rf"(?:\s*(?:{'|'.join(backwards)}))*"), first
