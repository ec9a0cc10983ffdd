r"""Marked pieces of a text: the last ``\boxed{}``, a tag's content. All in linear time."""

import re
from functools import cache

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s?(?:\[[^\]]{0,20}\]){0,2}\s?\{")


def last_boxed(text: str) -> str | None:
    r"""What stands in the last ``\boxed{…}`` (``\fbox``, ``\framebox``) whose braces balance; None without one."""
    end = len(text)
    for found in _find_boxes(text):
        content = _match_braces(text, found.end() - 1, end)
        if content is not None:
            return content.strip()
        end = found.start()  # what did not balance up to here will not further on
    return None


_UNBRACED = "\\boxed "


def unbraced_box(text: str) -> str | None:
    r"""What follows the last ``\boxed`` and a space, up to a dollar sign or the end: 4 in ``$\boxed 4$``; None without.

    Code that scores MATH reads a box so.
    """
    _, found, behind = text.rpartition(_UNBRACED)
    return behind.partition("$")[0] if found else None


_BETWEEN_BOXES = re.compile(
    r"(?:[\s$]|\\[()]|\\q?quad|\\[,; ]){0,20}(?:[,;]|\b(?:and|or)\b|\\text\s?\{\s*,?\s*(?:and|or)\s*\})"
    r"(?:[\s$,]|\\[()]|\\q?quad|\\[,; ]|\b(?:and|or)\b|\\text\s?\{\s*(?:and|or)\s*\}){0,20}"
)


def last_boxes(text: str) -> list[str]:
    r"""What stands in the last box, and in those before it that a comma, "and" or "or" joins to it, in their order.

    ``\boxed{2} and \boxed{3}`` are one answer of two values. Equal ones count once.
    """
    boxes: list[str] = []
    following: int | None = None  # where the box behind begins
    for found in _find_boxes(text):
        content = _match_braces(text, found.end() - 1, len(text) if following is None else following)
        if content is None:
            break
        end = found.end() + len(content) + 1
        if following is not None and _BETWEEN_BOXES.fullmatch(text, end, following) is None:
            break
        if content.strip() not in boxes:
            boxes.insert(0, content.strip())
        following = found.start()
    return boxes


def _find_boxes(text: str) -> list["re.Match[str]"]:
    """Where boxes open, the last one first."""
    return list(_BOX.finditer(text))[::-1] if "box" in text else []


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


@cache
def _compile_tag(tag: str) -> tuple["re.Pattern[str]", "re.Pattern[str]"]:
    name = re.escape(tag)
    return re.compile(rf"<\s{{0,3}}{name}\s{{0,3}}>", re.IGNORECASE), re.compile(
        rf"<\s{{0,3}}/\s{{0,3}}{name}\s{{0,3}}>", re.IGNORECASE
    )


def last_tagged(text: str, tag: str) -> str | None:
    """What stands in the last ``<tag>``, whatever its case, up to its closing tag or the end; None without one.

    A generation is often ended by the closing tag as a stop string, which is then not part of the text.
    """
    if "<" not in text:
        return None
    opening, closing = _compile_tag(tag)
    openings = list(opening.finditer(text))
    if not openings:
        return None
    start = openings[-1].end()
    end = closing.search(text, start)
    return text[start : end.start() if end else len(text)].strip()


def has_section(text: str, tag: str) -> bool:
    """Whether a ``<tag>`` opens and closes."""
    opening, closing = _compile_tag(tag)
    found = opening.search(text)
    return found is not None and closing.search(text, found.end()) is not None
