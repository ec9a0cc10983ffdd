"""Whole numbers in text that others send: in headers, paths, queries and recipes."""

MOST_DIGITS = 18


def parse_whole(text: str) -> int | None:
    """The number that 1 to 18 ASCII digits write; None for any other text.

    ``int`` alone also reads ``1_000``, signs, blanks and digits of other scripts, and raises for thousands of digits.
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else None
