"""The layout of every page of the guide: search, sections at the side, what is on the page, the next page."""

from collections.abc import Sequence

from reward_gateway import __version__
from reward_gateway.pages.html import Content, Html, el, join

from .contents import Contents, GuidePage
from .markdown import Heading
from .search import INDEX
from .site import Place

CONTENT_SECURITY_POLICY = "default-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'"
"""Pages have no script and no style of their own: all are files, from here."""


def render_layout(
    place: Place,
    contents: Contents,
    title: str,
    *content: Content,
    page: GuidePage | None = None,
    headings: Sequence[Heading] = (),
) -> Html:
    """A complete HTML document.

    Args:
        page: the page that it is; None: one that is not listed.
        headings: those of the page below its title.
    """
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title} · reward-gateway"),
        el("link", rel="icon", href=place.link_to_static("icon.svg"), type="image/svg+xml"),
        (
            el("link", rel="stylesheet", href=place.link_to_static(name))
            for name in ("pages.css", "guide.css", "code.css")
        ),
        (el("script", src=place.link_to_static(name), defer=True) for name in ("guide.js", "search.js")),
    )
    body = el(
        "body",
        el("a", "Skip to the content", href="#content", class_="skip"),
        _render_header(place),
        el(
            "div",
            _render_sections(place, contents, page),
            el("main", _render_breadcrumb(contents, page), *content, id="content", tabindex="-1"),
            _render_headings(headings),
            class_="columns",
        ),
        el("footer", f"reward-gateway {__version__}"),
    )
    return join(Html("<!doctype html>\n"), el("html", head, body, lang="en"))


def render_search(place: Place, id_: str) -> Html:
    """The box of the search; a script fills its results."""
    return el(
        "search",
        el("label", "Search the guide", for_=id_, class_="hidden"),
        el(
            "input",
            type="search",
            id=id_,
            placeholder="Search",
            autocomplete="off",
            spellcheck="false",
            aria_keyshortcuts="/",
            data_root=place.root,
            data_index=place.root.removeprefix("./") + INDEX,
            data_engine=place.link_to_static("minisearch.js"),
        ),
        el("kbd", "/", aria_hidden="true"),
        el("p", role="status", class_="hidden"),
        el("ol", hidden=True, aria_label="Results"),
    )


def render_neighbours(place: Place, contents: Contents, page: GuidePage) -> Html:
    """The pages before and after a page."""
    before, after = contents.neighbours(page)
    return el(
        "nav",
        el("a", el("small", "Previous"), before.short_title, href=place.link_to(before.path), rel="prev")
        if before
        else None,
        el("a", el("small", "Next"), after.short_title, href=place.link_to(after.path), rel="next") if after else None,
        class_="neighbours",
        aria_label="Previous and next page",
    )


def render_cards(place: Place, contents: Contents) -> Html:
    """The sections with their pages, for the first page."""
    return el(
        "div",
        (
            el(
                "section",
                el("h2", section.title),
                el("p", section.about),
                el(
                    "ul",
                    (el("li", el("a", page.short_title, href=place.link_to(page.path))) for page in section.pages),
                ),
            )
            for section in contents.sections
            if section.pages
        ),
        class_="cards",
    )


def _render_header(place: Place) -> Html:
    links = [("/", "Console")] if place.console else []
    links += [("/pages", "Operations and recipes"), ("/docs", "API")]
    shown = [(href, text) for path, text in links if (href := place.link_to_served(path))]
    return el(
        "header",
        el("button", "Menu", type="button", class_="menu", aria_expanded="false", aria_controls="sections"),
        el("a", "reward-gateway", href=place.link_to(""), class_="brand"),
        render_search(place, "search"),
        el("nav", (el("a", text, href=href) for href, text in shown), aria_label="Elsewhere"),
    )


def _render_sections(place: Place, contents: Contents, current: GuidePage | None) -> Html:
    def link(page: GuidePage, text: str) -> Html:
        return el("a", text, href=place.link_to(page.path), aria_current="page" if page is current else None)

    opened = (contents.section_of(current) if current else None) or contents.sections[0]
    return el(
        "nav",
        el("ul", el("li", link(contents.home, contents.home.short_title))),
        (
            el(
                "details",
                el("summary", section.title),
                el("ul", (el("li", link(page, page.short_title)) for page in section.pages)),
                open=section is opened,
            )
            for section in contents.sections
            if section.pages
        ),
        id="sections",
        class_="sections",
        aria_label="Pages",
    )


def _render_breadcrumb(contents: Contents, page: GuidePage | None) -> Html | None:
    section = contents.section_of(page) if page else None
    return el("p", section.title, class_="breadcrumb") if section else None


def _render_headings(headings: Sequence[Heading]) -> Html:
    """What is on the page; empty where that is seen at once."""
    shown = [heading for heading in headings if heading.level in (2, 3)]
    items = (el("li", el("a", each.text, href=f"#{each.anchor}"), class_=f"level-{each.level}") for each in shown)
    inner = el("details", el("summary", "On this page"), el("ul", items), open=True) if len(shown) > 1 else None
    return el("nav", inner, class_="headings", aria_label="On this page") if inner else Html("")
