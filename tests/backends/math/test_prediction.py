"""backends/math/prediction.py: texts read without the context are read as ANTLR reads them with it."""

from typing import Any

import pytest
from antlr4 import PredictionMode
from antlr4.atn.ParserATNSimulator import ParserATNSimulator
from antlr4.dfa.DFA import DFA
from antlr4.PredictionContext import PredictionContextCache
from hypothesis import given, settings
from hypothesis import strategies as st
from latex2sympy2_extended.latex2sympy2 import PSParser
from reward_gateway.backends.math.parsing import _QuickReader
from sympy import srepr

_LIBRARY: Any = _QuickReader.__base__
_ATOMS = st.sampled_from(("x", "n", "F", "\\pi", "\\alpha", "2", "10", "0.5", "\\infty", "dx", "e", "i"))


def _join(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def write(*forms: str) -> st.SearchStrategy[str]:
        form = st.sampled_from(forms)
        return st.builds(lambda form, one, other: form.replace("A", one).replace("B", other), form, parts, parts)

    return (
        write("A+B", "A-B", "A B", "A\\cdot B", "A/B", "(A)(B)", "-A", "A!", "\\frac{A}{B}", "|A|")
        | write("A^B", "A^{B}", "A_B", "A_{B}", "A_2^{B}", "A^2_{B}", "A_1 B_2", "(A)^{B}", "\\sqrt[A]{B}", "\\sqrt{A}")
        | write("\\sin A", "\\sin^2 A", "\\log_A B", "\\ln(A)", "f(A)", "f(A, B)", "\\binom{A}{B}")
        | write("\\sum_{k=1}^{A} B", "\\prod_{k=0}^{n} A_k", "\\int_0^1 A dx", "\\int A dx", "\\lim_{x \\to A} B")
    )


_EXPRESSIONS = st.recursive(_ATOMS, _join, max_leaves=5)
_TEXTS = _EXPRESSIONS | st.builds(
    lambda form, one, other: form.replace("A", one).replace("B", other),
    st.sampled_from(
        ("A=B", "A<B", "A \\le B", "(A, B)", "[A, B)", "\\{A, B\\}", "A, B", "A=2, n=B", "A_1=B", "(A,1] \\cup [B,2)")
    ),
    _EXPRESSIONS,
    _EXPRESSIONS,
)


_REMEMBERED = [DFA(state, place) for place, state in enumerate(PSParser.atn.decisionToState)]


class _LibraryReader(_LIBRARY):  # type: ignore[misc]
    """The library's own, which reads with the context; what it remembers is its own, too."""

    def create_parser(self, latex_str: str) -> Any:
        parser = super().create_parser(latex_str)
        parser._interp = ParserATNSimulator(parser, PSParser.atn, _REMEMBERED, PredictionContextCache())
        return parser


def _read(reader: Any, text: str) -> str | None:
    try:
        return str(srepr(reader(is_real=True).parse(text)))
    except Exception:
        return None


@settings(max_examples=150, deadline=None)
@given(_TEXTS)
def test_a_text_is_read_as_it_is_with_the_context(text: str) -> None:
    assert _read(_QuickReader, text) == _read(_LibraryReader, text)


@pytest.mark.parametrize(
    "text",
    [
        "x^2+y^2-2x+4y=4",
        "a^{m}a^{n}",
        "x_1, x_2",
        "\\frac{x^2}{9}+\\frac{y^2}{4}=1",
        "F_n = \\sum_{k=0}^{n-1} F_k F_{n-k-1}",
        "\\sum_{k=1}^{n} k^2",
    ],
)
def test_powers_and_indices_are_read_without_the_context(text: str) -> None:
    reader = _QuickReader(is_real=True)
    assert srepr(reader.parse(text)) == _read(_LibraryReader, text)
    assert reader._mode is PredictionMode.SLL
