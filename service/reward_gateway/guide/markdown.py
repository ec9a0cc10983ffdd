"""Markdown as HTML: headings with anchors, links between pages, notes, pictures, code. No markup of its own."""

import re
import struct
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from reward_gateway.pages.html import Html, el

from .code import render_code
from .contents import PACKAGE, Contents, GuidePage
from .headings import Anchors
from .site import Link, Place, resolve_link

NOTES = {"NOTE": "Note", "TIP": "Tip", "IMPORTANT": "Important", "WARNING": "Warning", "CAUTION": "Caution"}
"""Mark of a quote that is a note -> its title."""

_MARK = re.compile(rf"\[!({'|'.join(NOTES)})\]\s*")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its level from 1, its anchor, its plain text."""

    level: int
    anchor: str
    text: str


@dataclass
class Passage:
    """What stands below one heading, as plain text: what the search finds."""

    heading: Heading
    text: str = ""


@dataclass
class Document:
    """A page that is read: its HTML, and what was found in it."""

    html: Html = field(default_factory=Html)
    passages: list[Passage] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)

    @property
    def headings(self) -> list[Heading]:
        """Its headings, in their order."""
        return [passage.heading for passage in self.passages]


class Renderer(RendererHTML):
    """Renders one page; ``env`` says which."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        return render_code(tokens[idx].info, tokens[idx].content) + "\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return '<div class="wide" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<th scope="col"{_align(tokens[idx])}>'

    def td_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"<td{_align(tokens[idx])}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        token = tokens[idx]
        anchor = token.meta.get("anchor")
        link = el("a", "#", href=f"#{anchor}", class_="anchor", aria_label="Link to this section") if anchor else ""
        return f"{link}</{token.tag}>\n"

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        """A picture; one whose name ends in ``-light`` has another for dark pages beside it."""
        page: _Page = env["page"]
        token = tokens[idx]
        link = page.resolve(str(token.attrs["src"]))
        page.document.pictures.append(link.file)
        file = PACKAGE / link.file
        if not file.is_file():  # a test finds it; the page is readable without
            return el("em", token.content)
        width, height = _measure(file.read_bytes())
        name = file.name
        image = el(
            "img",
            src=page.place.link_to_static(name),
            alt=token.content,
            width=width,
            height=height,
            loading="lazy",
            decoding="async",
        )
        dark = name.replace("-light.", "-dark.")
        if dark == name or not (file.parent / dark).is_file():
            return image
        source = Html(f'<source media="(prefers-color-scheme: dark)" srcset="{page.place.link_to_static(dark)}">')
        return el("picture", source, image)


@dataclass
class _Page:
    """The page that is rendered."""

    page: GuidePage
    place: Place
    contents: Contents
    document: Document = field(default_factory=Document)

    def resolve(self, link: str) -> Link:
        return resolve_link(self.place, self.contents, self.page.file, link)


def render_markdown(page: GuidePage, place: Place, contents: Contents) -> Document:
    """Read a page and render it for its place."""
    rendered = _Page(page, place, contents)
    env: dict[str, Any] = {"page": rendered}
    rendered.document.html = Html(_MARKDOWN.render(page.text, env))
    return rendered.document


def _align(token: Token) -> str:
    style = str(token.attrs.get("style", ""))
    return ' class="number"' if "right" in style else ' class="middle"' if "center" in style else ""


def _measure(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def _find_headings(state: StateCore) -> None:
    """Give headings their anchors, and note what stands below each."""
    page: _Page = state.env["page"]
    anchors = Anchors()
    passages = page.document.passages
    for place, token in enumerate(state.tokens):
        if token.type == "heading_open":
            text = _plain(state.tokens[place + 1])
            heading = Heading(int(token.tag[1]), anchors.make(text), text)
            passages.append(Passage(heading))
            if heading.level > 1:
                token.attrSet("id", heading.anchor)
                state.tokens[place + 2].meta["anchor"] = heading.anchor
        elif passages and token.type in ("inline", "fence") and state.tokens[place - 1].type != "heading_open":
            said = _plain(token) if token.type == "inline" else token.content
            passages[-1].text += f" {said}"


def _plain(token: Token) -> str:
    """The text of an inline token."""
    parts = []
    for child in token.children or ():
        if child.type in ("text", "code_inline", "image"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return "".join(parts)


def _rewrite_links(state: StateCore) -> None:
    """Turn links between files into links of the site; one to a file of the repository alone becomes its text."""
    page: _Page = state.env["page"]
    for token in state.tokens:
        plain = False
        for child in token.children or ():
            if child.type == "link_open":
                link = page.resolve(str(child.attrs["href"]))
                page.document.links.append(link)
                plain = not link.href
                if plain:
                    child.tag, child.attrs = "span", {"class": "repository"}
                    if link.kind == "repository":
                        child.attrs["title"] = f"{_in_repository(link.file)} in the repository"
                else:
                    child.attrs["href"] = link.href
                    if link.kind == "outside":
                        child.attrs["rel"] = "noreferrer"
            elif child.type == "link_close" and plain:
                child.tag, plain = "span", False


def _in_repository(file: str) -> str:
    """A file's path from the repository's folder."""
    parts: list[str] = []
    for part in f"service/reward_gateway/{file}".split("/"):
        if part == "..":
            parts and parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _mark_notes(state: StateCore) -> None:
    """Turn a quote that begins with ``[!NOTE]`` into a note."""
    for place, token in enumerate(state.tokens):
        if token.type != "blockquote_open" or place + 2 >= len(state.tokens):
            continue
        inline = state.tokens[place + 2]
        first = inline.children[0] if inline.children else None
        if first is None or (found := _MARK.match(first.content)) is None:
            continue
        first.content = first.content[found.end() :]
        if not first.content and inline.children and [t.type for t in inline.children[1:2]] == ["softbreak"]:
            inline.children = inline.children[2:]
        kind = found[1]
        token.tag, token.attrs = "div", {"class": f"admonition {kind.lower()}", "role": "note"}
        token.meta["title"] = NOTES[kind]
        closing = next(t for t in state.tokens[place:] if t.type == "blockquote_close" and t.level == token.level)
        closing.tag = "div"


def _open_quote(self: Renderer, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
    title = tokens[idx].meta.get("title")
    opened = self.renderToken(tokens, idx, options, env)
    return opened + (el("p", title, class_="title") + "\n" if title else "")


def _make_markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "linkify": False}, renderer_cls=Renderer).enable("table")
    made.disable(["html_block", "html_inline"])
    made.add_render_rule("blockquote_open", _open_quote)
    for name, rule in (("notes", _mark_notes), ("links", _rewrite_links), ("headings", _find_headings)):
        made.core.ruler.push(name, rule)
    return made


_MARKDOWN = _make_markdown()
