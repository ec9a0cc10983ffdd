"""Markup is built, never pasted: what is not an element is escaped."""

from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.pages.html import Html, el, join
from reward_gateway.pages.prose import phrase, prose


def test_a_text_is_escaped_and_an_element_is_not() -> None:
    assert el("p", "<script>", el("b", "a & b")) == "<p>&lt;script&gt;<b>a &amp; b</b></p>"


def test_attributes_are_quoted_and_empty_ones_left_out() -> None:
    written = el("a", "x", href='"><script>', class_="c", stroke_width=2, hidden=True, id=None, rel=False)
    assert written == '<a href="&quot;&gt;&lt;script&gt;" class="c" stroke-width="2" hidden>x</a>'


def test_contents_may_be_nested_and_may_be_nothing() -> None:
    assert join("a", None, ["b", (el("i", "c"), None)]) == "ab<i>c</i>"
    assert el("br") == "<br>"


@given(st.text(alphabet="<>&\"'ab `*_[]()|\n-#=~!"))
def test_no_docstring_brings_markup_of_its_own(text: str) -> None:
    for html in (prose(text), phrase(text)):
        assert isinstance(html, Html)
        for name in ("script", "a ", "img", "em>", "b>"):
            assert f"<{name}" not in html


def test_formulas_lists_tables_and_code_of_docstrings_are_kept() -> None:
    html = prose("r' = w_i r_i * r_j * 2 <x>\n\n- one\n- ``two``\n\n| how | r' |\n|---|---|\n| mean | r - mean |")
    assert "w_i r_i * r_j * 2 &lt;x&gt;" in html
    assert "<li>one</li>" in html
    assert "<code>two</code>" in html
    assert "<td>r - mean</td>" in html
