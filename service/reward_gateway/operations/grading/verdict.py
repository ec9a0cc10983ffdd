"""One verdict of a few words."""

import re
from collections.abc import Sequence

from ..outcome import ItemError
from .lines import bare_line, content_lines, plain_emphasis
from .marks import read_mark
from .visible import drop_quotations, read_final

_LABEL = re.compile(r"(?:my |the )?(?:final )?(?:answer|verdict|judge?ment|label)\s*[:：]\s*(.*)", re.IGNORECASE)
_VERDICT = re.compile(r"(?:my |the )?(?:final )?verdict\s*[:：]\s*(.*)", re.IGNORECASE)
_OPENING = re.compile(r"(\w+)\s*[,;.:!—–]")


def read_yes_no(reply: str, pattern: str | None = None) -> bool:
    """Whether a reply ends with YES, and not with NO. Raises ItemError as :func:`read_verdict`."""
    return read_verdict(reply, ("YES", "NO"), pattern=pattern) == "YES"


def read_verdict(reply: str, words: Sequence[str], *, labelled: bool = False, pattern: str | None = None) -> str:
    """The verdict that ends a reply: its last line holds one of ``words`` alone, in any case.

    Emphasis, brackets and a full stop may stand around it, and ``Verdict:`` or ``Answer:`` before it.

    Args:
        words: no two of them equal but for case.
        labelled: the verdict stands behind ``VERDICT:``, as it was asked for; a line that begins so and goes on makes
            the reply unread.
        pattern: of a trained judge with a form of its own: its group holds the word, and nothing else is read.

    Returns:
        The word as it stands in ``words``.

    Raises:
        ItemError: the last line is no verdict, or lines give two.
    """
    known = {word.casefold(): word for word in words}
    if pattern is not None:
        marked = known.get(read_mark(reply, pattern).casefold())
        if marked is None:
            raise ItemError(f"what the pattern `reply` finds is not one of {', '.join(words)}")
        return marked
    lines = content_lines(drop_quotations(read_final(reply)))
    missing = ItemError(f"the judge's last line is not one of {', '.join(words)}{' behind VERDICT:' * labelled}")
    given: set[str] = set()
    for line in lines:
        plain = plain_emphasis(line) or line
        label = (_VERDICT if labelled else _LABEL).fullmatch(plain)
        word = bare_line(label[1]) if label is not None else None if labelled else bare_line(line)
        found = known.get((word or "").casefold())
        if found is None and label is None and not labelled:
            opening = _OPENING.match(plain)  # as in "No, it does not"
            given |= {known[opening[1].casefold()]} if opening and opening[1].casefold() in known else set()
        if found is None and (line is lines[-1] or (labelled and label is not None)):
            raise missing
        if found is not None:
            given.add(found)
    if len(given) != 1:
        raise ItemError("the judge gave two verdicts that differ")
    return given.pop()
