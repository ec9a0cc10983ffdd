"""Regular expressions that callers write: checked before they are compiled, and matched within a time limit.

Compiling unrolls counted repeats: ``(?:(?:a{1000}){1000}){1000}`` would take 20 GB.
"""

import re

import regex

LONGEST = 1000
"""Most characters of a pattern."""

MOST_REPEATED = 20_000
"""Most elements that a pattern has when its counted repeats are written out: 20 ms and 10 MB."""

_TOKEN = re.compile(
    r"(?P<skip>\s+|\(\?#[^)]*\))"
    r"|(?P<element>\\.|\[\^?\]?(?:\\.|[^\]\\])*\])"
    r"|(?P<open>\()|(?P<close>\))"
    r"|\{(?P<least>\d+)(?:,\d*)?\}",
    re.DOTALL,
)


def compile_pattern(pattern: str, flags: int = 0) -> "regex.Pattern[str]":
    """The compiled pattern.

    Raises:
        ValueError: it is no regular expression, too long, or repeats too much.
    """
    if len(pattern) > LONGEST:
        raise ValueError(f"the pattern has {len(pattern)} characters, and at most {LONGEST} are allowed")
    if count_elements(pattern) > MOST_REPEATED:
        raise ValueError(
            f"the pattern's repeats, written out, have over {MOST_REPEATED:,} elements; use smaller counts or nest less"
        )
    try:
        return regex.compile(pattern, flags)
    except regex.error as error:
        raise ValueError(f"the pattern is no regular expression: {error.msg}") from None
    except (RecursionError, OverflowError):
        raise ValueError("the pattern is nested too deep or counts too far") from None


def count_elements(pattern: str) -> int:
    """How many elements a pattern has at least when ``{m}``, ``{m,}`` and ``{m,n}`` are written out m times."""
    groups: list[int] = []
    total, last = 0, 0
    place = 0
    while place < len(pattern):
        token = _TOKEN.match(pattern, place)
        if token is None:
            total, last, place = total + 1, 1, place + 1
            continue
        place = token.end()
        if token["least"] is not None:
            repeated = last * max(int(token["least"]), 1)
            total, last = total - last + repeated, repeated
        elif token["open"]:
            groups.append(total)
            total = last = 0
        elif token["close"] and groups:
            last = max(total, 1)
            total = groups.pop() + last
        elif token["element"]:
            total, last = total + 1, 1
    return total + sum(groups)
