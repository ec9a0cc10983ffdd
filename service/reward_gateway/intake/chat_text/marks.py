"""Marks that tokenisers write around turns and texts, whatever the chat template."""

import re
from collections.abc import Iterable
from functools import cache

LONGEST_MARK = 64
"""No mark has more characters."""

END_MARKS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|eot|>",
    "<|eom|>",
    "</s>",
    "<end_of_turn>",
    "<turn|>",
    "<eos>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|end_of_turn|>",
    "<EOS_TOKEN>",
    "<｜end▁of▁sentence｜>",
    "<|EOT|>",
)
"""End of a turn or of a text."""

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

_UNIQUE_ENDS = tuple(mark for mark in END_MARKS if mark != "</s>")
_HEADERS = (
    r"<\|im_start\|>",
    r"<\|im_(?:system|user|assistant)\|>",
    r"<\|start_header_id\|>",
    r"<\|header_start\|>",
    r"<\|(?:system|user|assistant|observation)\|>",
    r"<\|start_of_role\|>",
    r"<\|START_OF_TURN_TOKEN\|>",
    r"<\|start\|>(?:assistant|user|system|developer)",
    r"<\|channel\|>",
    r"<\|turn>",
    r"<｜(?:User|Assistant)｜>",
    r"<start_of_turn>",
    r"\[/?INST\]",
    r"<</?SYS>>",
)
_TURN_MARKS = re.compile("|".join((*_HEADERS, *map(re.escape, _UNIQUE_ENDS))))
_HINTS = ("<|", "<｜", "INST]", "SYS>>", "_of_turn>", "|>", "<eos>", "<EOS_TOKEN>")
"""One of these stands in every text with a mark; looking for them takes no time."""

_LEADING_MARKS = (*BEGIN_MARKS, *PADDING, "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "</s>")
SENTENCE = "<｜begin▁of▁sentence｜>"
"""DeepSeek's begin-of-text mark, which its format begins with: a system turn follows it without a header."""


def _compile_leading(marks: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:\s*(?:{'|'.join(map(re.escape, marks))}))+")


_LEADING = _compile_leading(_LEADING_MARKS)
_BEFORE_FORMAT = _compile_leading(mark for mark in _LEADING_MARKS if mark != SENTENCE)
_ROW = 2048
"""Characters at the end of a text that hold all of its marks, as a rule."""


def may_have_turn_marks(text: str) -> bool:
    """Whether it is worth looking for turn marks in the text, or in some of the texts that it joins."""
    return any(hint in text for hint in _HINTS)


def has_turn_marks(text: str) -> bool:
    """Whether a turn of a known format begins or ends in the text.

    Formats of ordinary words do not count, nor do ``<s>`` and ``</s>``, which HTML has too.
    """
    return may_have_turn_marks(text) and _TURN_MARKS.search(text) is not None


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
