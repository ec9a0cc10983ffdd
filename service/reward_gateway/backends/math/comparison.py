"""The comparison of two answers as mathematics, as a worker process does it (:mod:`reward_gateway.backends.workers`).

An expression can be built to run forever or to fill the memory (9^9^9^9), and the library's own time limit works only
in a main thread.
"""

import logging

_DELIMITERS = ("$", "\\(", "\\[", "\\boxed")


def prepare() -> None:
    """Import the library now, not at the first comparison; it logs what it cannot parse, which is a response's text."""
    logging.disable(logging.CRITICAL)
    compare_answers("1", "1")


def delimit_latex(text: str) -> str:
    """A reference as the parser expects it: bare LaTeX in dollar signs."""
    return text if any(mark in text for mark in _DELIMITERS) else f"${text}$"


def compare_answers(reference: str, response: str) -> bool | None:
    """Whether the response's answer equals the reference's as mathematics; None if the reference is unreadable.

    Raises:
        MemoryError: an expression is too large or nested too deep.
    """
    from math_verify import parse, verify

    # Without the library's time limits: the worker process has its own.
    try:
        parsed_reference = parse(delimit_latex(reference), parsing_timeout=None)
        if not parsed_reference:
            return None
        parsed_response = parse(response, parsing_timeout=None)
        return bool(parsed_response) and bool(verify(parsed_reference, parsed_response, timeout_seconds=None))
    except RecursionError:
        raise MemoryError from None
    except MemoryError:
        raise
    except Exception:
        return False  # the library could not parse or compare it
