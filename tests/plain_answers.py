"""Plain answers: what most references and responses are."""

from hypothesis import strategies as st

_DIGITS = st.from_regex(r"[0-9]{1,12}", fullmatch=True)
_LONG_DIGITS = st.from_regex(r"[0-9]{1,99}", fullmatch=True)
_SIGN = st.sampled_from(("", "-"))
_SMALL = st.integers(0, 120).map(str)
_DIVISOR = st.integers(1, 120).map(str)


@st.composite
def _plain_numbers(draw: st.DrawFn) -> str:
    """Integers, decimals and fractions: small ones, among which equal ones are found, and long ones."""
    digits = draw(st.sampled_from((_SMALL, _SMALL, _DIGITS, _LONG_DIGITS)))
    written = draw(digits)
    form = draw(st.sampled_from(("integer", "decimal", "slash", "frac")))
    if form == "decimal":
        written = f"{written}.{draw(digits)}"
    elif form != "integer":
        divisor = draw(_DIVISOR)
        written = f"{written}/{divisor}" if form == "slash" else f"\\frac{{{written}}}{{{divisor}}}"
    return draw(_SIGN) + written


PLAIN_NUMBERS = _plain_numbers()
"""Numbers that need no rule to be read."""
