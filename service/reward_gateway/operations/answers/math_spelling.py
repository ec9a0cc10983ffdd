r"""Answers to competition problems that differ in their spelling only, as the data set MATH compares them.

The rules are those of its ``is_equiv`` (Hendrycks et al. 2021, arXiv 2103.03874; github.com/hendrycks/math): texts, not
mathematics, so that ``\frac12`` is ``\frac{1}{2}`` and 1/2, but .25 is not 1/4.
"""

import re

_REWRITTEN = (
    ("\n", ""),
    ("\\!", ""),
    ("\\\\", "\\"),
    ("tfrac", "frac"),
    ("dfrac", "frac"),
    ("\\left", ""),
    ("\\right", ""),
    ("^{\\circ}", ""),
    ("^\\circ", ""),
    ("\\$", ""),
)
"""What is replaced before units are cut off, in this order: layout, sizes, degrees and dollars mean nothing."""
_REWRITTEN_BEHIND_UNITS = (("\\%", ""), (" .", " 0."), ("{.", "{0."))
_UNITS = "\\text{ "
_LONGEST_NAME = 2
"""Characters before an equals sign that only name the answer, as in ``x = 5``."""
_QUOTIENT = re.compile(r"(0|-?[1-9][0-9]*)/(0|-?[1-9][0-9]*)")


class _UnreadableError(ValueError):
    """MATH's rules do not know what to make of an answer."""


def spelled_alike(one: str, other: str) -> bool:
    """Whether two answers are the same but for their spelling; texts that the rules cannot read have to be equal."""
    try:
        return _respell(one) == _respell(other)
    except _UnreadableError:
        return one == other


def _respell(answer: str) -> str:
    text = _replace(answer, _REWRITTEN)
    if text.count(_UNITS) > 1:
        raise _UnreadableError
    text = _replace(text.partition(_UNITS)[0], _REWRITTEN_BEHIND_UNITS)
    if text.startswith("."):
        text = "0" + text
    if text.count("=") == 1:
        name, _, value = text.partition("=")
        text = value if len(name) <= _LONGEST_NAME else text
    text = _brace_fractions(_brace_roots(text).replace(" ", ""))
    if text == "0.5":
        return "\\frac{1}{2}"
    quotient = _QUOTIENT.fullmatch(text)
    return f"\\frac{{{quotient[1]}}}{{{quotient[2]}}}" if quotient else text


def _replace(text: str, replacements: tuple[tuple[str, str], ...]) -> str:
    for old, new in replacements:
        text = text.replace(old, new)
    return text


def _brace_roots(text: str) -> str:
    r"""``\sqrt3`` as ``\sqrt{3}``."""
    before, *radicands = text.split("\\sqrt")
    if not all(radicands):
        raise _UnreadableError
    braced = [part if part[0] == "{" else f"{{{part[0]}}}{part[1:]}" for part in radicands]
    return "\\sqrt".join([before, *braced])


def _brace_fractions(text: str) -> str:
    r"""``\frac12`` and ``\frac1{2}`` as ``\frac{1}{2}``; a text in which one has a numerator alone stays as it is."""
    before, *parts = text.split("\\frac")
    braced = []
    for part in parts:
        if not part:
            raise _UnreadableError
        if part[0] == "{":
            braced.append(part)
        elif len(part) == 1:
            return text
        else:
            below = part[1] if part[1] == "{" else f"{{{part[1]}}}"
            braced.append(f"{{{part[0]}}}{below}{part[2:]}")
    return "\\frac".join([before, *braced])
