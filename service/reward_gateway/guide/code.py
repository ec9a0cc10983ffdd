"""Fenced blocks as HTML: highlighted here, with what is marked beside the language told by the look."""

from dataclasses import dataclass

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

from reward_gateway.pages.html import Html, el

_FORMATTER = HtmlFormatter(nowrap=True)
_CAPTIONS = {"answer": "Output", "log": "Log"}
_NOT_COPIED = frozenset({"answer", "log", "figure"})


@dataclass(frozen=True, slots=True)
class Fence:
    """What stands behind the opening of a fenced block: ``LANGUAGE MARK`` or ``LANGUAGE MARK=NAME``."""

    language: str
    mark: str
    name: str


def read_info(info: str) -> Fence:
    """Read it."""
    language, _, rest = info.strip().partition(" ")
    mark, _, name = rest.strip().partition("=")
    return Fence(language, mark, name)


def render_code(info: str, text: str) -> Html:
    """A block of code. What is printed belongs to the block above, and is not for copying."""
    fence = read_info(info)
    caption = fence.name if fence.mark == "file" else _CAPTIONS.get(fence.mark)
    plain = fence.mark == "figure" or fence.language in ("", "text")
    code = Html("") if plain else _highlight(text, fence.language)
    copied = fence.mark not in _NOT_COPIED
    return el(
        "figure",
        el("figcaption", el("code", caption) if fence.mark == "file" else caption) if caption else None,
        el(
            "div",
            el("pre", el("code", code or text.rstrip("\n")), tabindex="0"),
            el("button", "Copy", type="button", class_="copy", hidden=True) if copied else None,
            class_="body",
        ),
        class_=f"code {fence.mark or 'plain'}",
    )


def _highlight(text: str, language: str) -> Html:
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        lexer = TextLexer()
    return Html(highlight(text, lexer, _FORMATTER).rstrip("\n"))
