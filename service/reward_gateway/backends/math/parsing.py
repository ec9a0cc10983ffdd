"""Expressions read from LaTeX by Math-Verify, in a worker process: quickly, and each only once.

A group of answers shares its reference. The library's grammar is read by ANTLR without the context of its rules
(:mod:`.prediction`), which takes a sixth of the time. So a text is read as it is with the context, or is refused, and
is read with it only then.

The library has SymPy evaluate each number as a program of Python, which takes longer than all else of a short
expression. Plain ones are made directly.
"""

import re
from functools import lru_cache
from typing import Any

from antlr4 import PredictionMode
from latex2sympy2_extended import latex2sympy2
from math_verify import parse
from sympy import Float, Integer

from .prediction import look_further

_KEPT = 1_000
"""Expressions that are kept as they were read."""

_PLAIN_NUMBER = re.compile(r"[0-9]{1,99}(\.[0-9]{1,99})?")


class _QuickReader(latex2sympy2._Latex2Sympy):  # type: ignore[misc]
    _mode = PredictionMode.SLL

    def create_parser(self, latex_str: str) -> Any:
        parser = super().create_parser(latex_str)
        look_further(parser)
        parser._interp.predictionMode = self._mode
        return parser

    def parse_number(self, text: str) -> Any:
        digits = text.replace(",", "")
        found = _PLAIN_NUMBER.fullmatch(digits)
        if found is None:
            return super().parse_number(text)
        return Integer(int(digits)) if found.group(1) is None else Float(digits)

    def parse(self, latex_str: str) -> Any:
        try:
            return super().parse(latex_str)
        except (RecursionError, MemoryError):
            raise
        except Exception:
            self._mode = PredictionMode.LL
            return super().parse(latex_str)


latex2sympy2._Latex2Sympy = _QuickReader


@lru_cache(maxsize=_KEPT)
def read_expression(expression: str) -> list[Any]:
    """What the library reads in LaTeX: an expression and its text, only a text, or nothing. Raises what it raises."""
    # In a box, where the parser finds it whole; without its time limit, which works only in a main thread.
    return list(parse(f"\\boxed{{{expression}}}", parsing_timeout=None))
