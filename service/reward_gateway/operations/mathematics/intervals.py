"""Inequalities over one variable as intervals."""

import re

from .listed import RELATION

SYMBOLS = re.compile(r"\\[A-Za-z]+|[A-Za-z]")


def as_sets(wanted: str, given: str) -> tuple[str, str]:
    """Inequalities as intervals where the other side is one: 0 < x < 5 is (0, 5)."""
    one, other = _is_interval(wanted), _is_interval(given)
    wanted, given = (re.sub(r"\A\s*[A-Za-z]\s*\\in(?![a-z])", "", text) for text in (wanted, given))
    if (one or other) and _REALS in (wanted, given):
        return _REALS_AS_INTERVAL if wanted == _REALS else wanted, _REALS_AS_INTERVAL if given == _REALS else given
    if not one and not other and RELATION.search(wanted) and RELATION.search(given):
        return _both_to_intervals(wanted, given)
    if one and not other and (interval := _to_interval(given)) is not None:
        return wanted, interval
    if other and not one and (interval := _to_interval(wanted)) is not None:
        return interval, given
    return wanted, given


_REALS, _REALS_AS_INTERVAL = "\\mathbb{R}", "(-\\infty,\\infty)"


def _both_to_intervals(wanted: str, given: str) -> tuple[str, str]:
    """Two inequalities over the same symbols as intervals: 4 > x > 1 is 1 < x < 4."""
    one, other = _to_interval(wanted), _to_interval(given)
    symbols = [set(SYMBOLS.findall(text)) - {"\\le", "\\ge"} for text in (wanted, given)]
    return (one, other) if one is not None and other is not None and symbols[0] == symbols[1] else (wanted, given)


def _is_interval(text: str) -> bool:
    return not RELATION.search(text) and (
        "\\cup" in text or "\\in " in text or re.fullmatch(r"\s*[(\[].*,.*[)\]]\s*", text, re.DOTALL) is not None
    )


_CHAIN = re.compile(r"(.+?)(\\le|<)\s*([A-Za-z]|\\[A-Za-z]+)\s*(\\le|<)(.+)", re.DOTALL)
_CHAIN_DOWN = re.compile(r"(.+?)(\\ge|>)\s*([A-Za-z]|\\[A-Za-z]+)\s*(\\ge|>)(.+)", re.DOTALL)
_ONE_SIDED = re.compile(r"\s*([A-Za-z]|\\(?!le|ge)[A-Za-z]+)\s*(\\le|\\ge|<|>)(.+)", re.DOTALL)
_TURNED = re.compile(r"(.+?)(\\le|\\ge|<|>)\s*([A-Za-z]|\\[A-Za-z]+)\s*", re.DOTALL)
_ALTERNATIVE = re.compile(r"\s*(?:\\text\s?\{\s*or\s*\}|(?<![A-Za-z\\])or(?![A-Za-z])|\\lor|\\vee|\\cup|,|或)\s*")


def _to_interval(text: str) -> str | None:
    intervals = [_one_interval(part) for part in _ALTERNATIVE.split(text) if part]
    return None if None in intervals else "\\cup ".join(interval for interval in intervals if interval is not None)


_OPEN = {"<": "(", ">": "(", "\\le": "[", "\\ge": "["}
_CLOSE = {"<": ")", ">": ")", "\\le": "]", "\\ge": "]"}
_TURN = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}


def _one_interval(text: str) -> str | None:
    """An inequality over one variable as an interval; None for any other text."""
    if (found := _CHAIN.fullmatch(text)) is not None:
        low, left, _, right, high = found.groups()
    elif (found := _CHAIN_DOWN.fullmatch(text)) is not None:
        high, right, _, left, low = found.groups()
    elif (found := _ONE_SIDED.fullmatch(text)) is not None:
        return _half_line(found.group(2), found.group(3))
    elif (found := _TURNED.fullmatch(text)) is not None:
        return _half_line(_TURN[found.group(2)], found.group(1))
    else:
        return None
    if RELATION.search(low) or RELATION.search(high):
        return None
    return f"{_OPEN[left]}{low.strip()},{high.strip()}{_CLOSE[right]}"


def _half_line(relation: str, bound: str) -> str | None:
    bound = bound.strip()
    if RELATION.search(bound):
        return None
    below = relation in ("<", "\\le")
    return f"(-\\infty,{bound}{_CLOSE[relation]}" if below else f"{_OPEN[relation]}{bound},\\infty)"
