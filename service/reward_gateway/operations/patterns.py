"""Regular expressions that callers write: checked before they are compiled, and matched within a time limit.

Compiling unrolls counted repeats: ``(?:(?:a{1000}){1000}){1000}`` would take 20 GB.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import regex

LONGEST = 1000
"""Most characters of a pattern."""

MOST_REPEATED = 20_000
"""Most elements that a pattern has when its counted repeats are written out: 20 ms and 10 MB."""

CAPTURE_TIMEOUT_S = 0.1
"""Longest time that a pattern of :func:`capture` may look through a text."""

KEPT = 1000
"""Most elements of a pattern that ``regex`` may keep among its last five hundred: half a megabyte each."""

_TOKEN = re.compile(
    r"(?P<comment>\(\?#[^)]*\))"
    r"|(?P<space>\s+)"
    r"|(?P<element>\\.|\[\^?\]?(?:\\.|[^\]\\])*\])"
    r"|(?P<open>\()|(?P<close>\))"
    r"|\{(?P<least>\s*\d[\d\s]*)(?:,[\d\s]*)?\}",
    re.DOTALL,
)
"""Spaces may be elements, and may stand in a count, or neither: that depends on where the flag x holds."""

_VERBOSE = re.compile(r"\(\?[A-Za-z0-9]*x")
"""The flag x somewhere in a pattern: spaces are left out, and # begins a comment."""


def compile_pattern(pattern: str, flags: int = 0) -> "regex.Pattern[str]":
    """The compiled pattern.

    Raises:
        ValueError: it is no regular expression, too long, or repeats too much.
    """
    if len(pattern) > LONGEST:
        raise ValueError(f"the pattern has {len(pattern)} characters, and at most {LONGEST} are allowed")
    elements = count_elements(pattern)
    if elements > MOST_REPEATED:
        raise ValueError(
            f"the pattern's repeats, written out, have over {MOST_REPEATED:,} elements; use smaller counts or nest less"
        )
    try:
        return regex.compile(pattern, flags) if elements <= KEPT else _compile_large(pattern, flags)
    except regex.error as error:
        raise ValueError(f"the pattern is no regular expression: {error.msg}") from None
    except (RecursionError, OverflowError):
        raise ValueError("the pattern is nested too deep or counts too far") from None


def capture(groups: Sequence[tuple[str, str]], text: str) -> list[str | None] | None:
    """What named groups hold at the first match of their patterns in a text, in which a dot matches line breaks.

    Args:
        groups: pattern and name of its group.

    Returns:
        A text for each, None where the pattern does not match; None instead of the list if one takes too long.

    Raises:
        ValueError: a pattern is none.
    """
    try:
        matches = [
            (compile_pattern(pattern, regex.DOTALL).search(text, timeout=CAPTURE_TIMEOUT_S), group)
            for pattern, group in groups
        ]
    except TimeoutError:
        return None
    return [None if match is None else match[group] for match, group in matches]


@lru_cache(maxsize=8)
def _compile_large(pattern: str, flags: int) -> "regex.Pattern[str]":
    return regex.compile(pattern, flags, cache_pattern=False)


def count_elements(pattern: str) -> int:
    """How many elements a pattern has when ``{m}``, ``{m,}`` and ``{m,n}`` are written out m times: rather too many.

    Raises:
        ValueError: a comment of the flag x, in which brackets would not be brackets.
    """
    verbose = _VERBOSE.search(pattern) is not None
    groups: list[int] = []
    total, last = 0, 0
    place = 0
    while place < len(pattern):
        token = _TOKEN.match(pattern, place)
        if token is None:
            if verbose and pattern[place] == "#":
                raise ValueError("after the flag x, # begins a comment: leave it out, or write [#] for the sign itself")
            total, last, place = total + 1, 1, place + 1
            continue
        place = token.end()
        if token["least"] is not None:
            repeated = last * max(int("".join(token["least"].split())), 1)
            total, last = total - last + repeated, repeated
        elif token["open"]:
            groups.append(total)
            total = last = 0
        elif token["close"] and groups:
            last = max(total, 1)
            total = groups.pop() + last
        elif token["element"]:
            total, last = total + 1, 1
        elif token["space"]:
            total, last = total + len(token["space"]), max(last, 1)  # a count after it may mean what stands before it
    return total + sum(groups)
