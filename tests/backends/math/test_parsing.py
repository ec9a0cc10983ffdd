"""backends/math/parsing.py: what Math-Verify reads, quickly."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.backends.math.parsing import _QuickReader, read_expression
from sympy import Number, srepr

_DIGITS = st.from_regex(r"[0-9]{1,30}", fullmatch=True)


@settings(max_examples=60)
@given(_DIGITS, st.none() | _DIGITS)
def test_a_plain_number_is_made_as_sympy_makes_it(whole: str, places: str | None) -> None:
    text = whole if places is None else f"{whole}.{places}"
    assert srepr(_QuickReader().parse_number(text)) == srepr(_read_slowly(text))


@pytest.mark.parametrize("text", ["1,000", "1,000.50", "007", "000", "1e5", "0.1", ".5", "9" * 99, "9" * 120])
def test_other_numbers_are_read_as_the_library_reads_them(text: str) -> None:
    assert srepr(_QuickReader().parse_number(text)) == srepr(_read_slowly(text))


def _read_slowly(text: str) -> Any:
    """As the library does: commas and zeros before a whole number left out, the rest read by SymPy."""
    digits = text.replace(",", "")
    return Number((digits.lstrip("0") or "0") if digits.isdigit() else digits)


def test_an_expression_is_read_once() -> None:
    assert read_expression("x+12345") is not None
    hits = read_expression.cache_info().hits
    read_expression("x+12345")
    assert read_expression.cache_info().hits == hits + 1
