"""Is what a program wrote what it should have written? Standard library only."""

from decimal import Decimal, InvalidOperation

_LONGEST_NUMBER = 400


def same_output(expected: str, written: str, rel_tol: float, abs_tol: float) -> bool:
    """Whether two outputs are the same: line by line, token by token.

    Space at the ends of lines and blank lines do not count. A number that is expected with a point or an exponent is
    the same within the tolerance; all other tokens by their text, or as numbers exactly (1 and 1.0).
    """
    left, right = _read_lines(expected), _read_lines(written)
    return len(left) == len(right) and all(
        len(ours) == len(theirs) and all(_same_token(a, b, rel_tol, abs_tol) for a, b in zip(ours, theirs, strict=True))
        for ours, theirs in zip(left, right, strict=True)
    )


def _read_lines(text: str) -> list[list[str]]:
    return [tokens for line in text.splitlines() if (tokens := line.split())]


def _same_token(expected: str, written: str, rel_tol: float, abs_tol: float) -> bool:
    if expected == written:
        return True
    if max(len(expected), len(written)) > _LONGEST_NUMBER or not (_is_decimal(expected) or _is_decimal(written)):
        return False
    try:
        wanted, found = Decimal(expected), Decimal(written)
        if not (wanted.is_finite() and found.is_finite()):
            return False
        if not _is_decimal(expected):
            return wanted == found
        difference = abs(wanted - found)
        return difference <= max(Decimal(abs_tol), Decimal(rel_tol) * abs(wanted))
    except (InvalidOperation, ArithmeticError, ValueError):
        return False


def _is_decimal(token: str) -> bool:
    """Whether a token is a number with a point or an exponent, in ASCII."""
    return token.isascii() and "_" not in token and any(c.isdigit() for c in token) and any(c in ".eE" for c in token)
