"""Plain answers: what most references and responses are."""

from hypothesis import strategies as st

_DIGITS = st.from_regex(r"[0-9]{1,12}", fullmatch=True)
_LONG_DIGITS = st.from_regex(r"[0-9]{1,99}", fullmatch=True)
_SIGN = st.sampled_from(("", "-"))
_SMALL = st.integers(0, 120).map(str)
_DIVISOR = st.integers(1, 120).map(str)


@st.composite
def _plain_numbers(draw: st.DrawFn) -> str:
    """Integers, decimals, percentages and fractions: small ones, among which equal ones are found, and long ones."""
    digits = draw(st.sampled_from((_SMALL, _SMALL, _DIGITS, _LONG_DIGITS)))
    written = draw(digits)
    form = draw(st.sampled_from(("integer", "decimal", "percentage", "slash", "frac")))
    if form == "decimal":
        written = f"{written}.{draw(digits)}"
    elif form == "percentage":
        written = f"{written}{draw(st.sampled_from(('', f'.{draw(digits)}')))}\\%"
    elif form == "slash":
        written = f"{written}/{draw(_DIVISOR)}"
    elif form == "frac":
        written = f"\\frac{{{draw(_SIGN)}{written}}}{{{draw(_DIVISOR)}}}"
    return draw(_SIGN) + written


PLAIN_NUMBERS = _plain_numbers()
"""Numbers that need no rule to be read."""
