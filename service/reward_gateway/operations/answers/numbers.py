"""Numbers in a text."""

import re

# Digits with thousands separators or without, a fraction of decimals, an exponent.
_NUMBER = re.compile(
    r"[-+−]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?|[-+−]?\.\d+(?:[eE][-+]?\d{1,3})?"
)


def last_number(text: str) -> float | None:
    """The last number in a text: 1,234.5, -3, .5, 6e-3; None without one, or where a double cannot hold it."""
    numbers = _NUMBER.findall(text)
    if not numbers:
        return None
    value = float(numbers[-1].replace(",", "").replace("−", "-"))
    return value if abs(value) != float("inf") else None
