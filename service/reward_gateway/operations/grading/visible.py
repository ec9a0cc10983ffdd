"""What of a reply is read: not its reasoning, not what it quotes, of its fences the one that ends it."""

import re

from ..outcome import ItemError
from ..reading.reasoning import split_reasoning

LONGEST = 200_000
"""Most characters of a reply that is read."""

QUOTED = "\ufffc"
"""Stands where a quotation was, so that a line with one does not hold a verdict alone."""

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})([^\n]*)")
_CODE = re.compile(r"(?<!`)(`++)[^`]+\1(?!`)")
_CURLY = "“[^“”]*”|„[^„“”]*[“”]|«[^«»]*»|「[^「」]*」|『[^『』]*』|‘[^‘’\n]*’"
_LINE_END = re.compile(r"\r\n?|\n")
_QUOTATION = re.compile(_CURLY + "|\"[^\"]*\"|(?<!\\w)'[^'\n]*'(?!\\w)")
_OTHER_MARKS = re.compile(_CURLY)
_UNCLOSED = re.compile(r"(?:(?<=\s)|(?<=[(\[])|\A)[\"“„«「『](?=\S|\n).*\Z|`[^`]*\Z", re.DOTALL)


def read_final(reply: str) -> str:
    """A reply without its reasoning, without lines that begin with ``>`` and without fences before its end.

    The lines of a fence that ends the reply are kept; any other fence is taken for a quotation.

    Raises:
        ItemError: nothing is left, the reasoning or a fence is not closed, or the reply is too long to be read.
    """
    if len(reply) > LONGEST:
        raise ItemError(f"the judge's answer has over {LONGEST:,} characters")
    split = split_reasoning(reply)
    if split.unfinished:
        raise ItemError("the judge's answer ends within its reasoning")
    text = _drop_quoted_lines(split.final).strip()
    if not text:
        raise ItemError("the judge's answer is empty")
    return text


def drop_quotations(text: str) -> str:
    """A text with :data:`QUOTED` in place of what stands in quotation marks or backticks, unclosed ones included."""
    return _UNCLOSED.sub(QUOTED, _QUOTATION.sub(QUOTED, _CODE.sub(QUOTED, text)))


def drop_code(text: str) -> str:
    """As :func:`drop_quotations`, but with what stands in straight quotation marks: JSON has them too."""
    return _OTHER_MARKS.sub(QUOTED, _CODE.sub(QUOTED, text))


def split_lines(text: str) -> list[str]:
    """The lines of a text; it is parted at line feeds and carriage returns alone."""
    return _LINE_END.split(text)


def _drop_quoted_lines(text: str) -> str:
    kept: list[str] = []
    fence, content = "", list[str]()
    ending: list[str] = []  # the lines of a fence after which nothing has come yet
    for line in split_lines(text):
        opening = _FENCE.fullmatch(line)
        if fence:
            bare = line.strip()
            if len(bare) >= len(fence) and not bare.strip(fence[0]):
                fence, ending = "", content
            else:
                content.append(line)
        elif opening is not None and not (opening[1][0] == "`" and "`" in opening[2]):
            fence, content, ending = opening[1], [], []
        elif not line.lstrip().startswith(">"):
            ending = [] if line.strip() else ending
            kept.append(line)
    if fence:
        raise ItemError("the judge's answer ends within a fence")
    return "\n".join(kept + ending)
