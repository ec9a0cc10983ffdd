"""The layout of every page: head, navigation, style. Each page is one file without external resources."""

import base64
import hashlib
from pathlib import Path

from reward_gateway import __version__

from .html import Content, Html, el, join
from .site import HOME, REWARDS, SYSTEMS, Place

STYLE = Html(Path(__file__).with_name("style.css").read_text(encoding="utf-8"))
_SCRIPT = Html(Path(__file__).with_name("copy.js").read_text(encoding="utf-8"))


def hash_source(text: str) -> str:
    """A script or a style as a Content-Security-Policy names it."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {hash_source(STYLE)}; script-src {hash_source(_SCRIPT)}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A browser may use the page's own style and script, and load nothing else."""


def render_layout(place: Place, title: str, *content: Content) -> Html:
    """Render a complete HTML document."""
    links = ((HOME, "Operations"), (REWARDS, "Recipes"), (SYSTEMS, "Not served"))
    navigation = el(
        "nav",
        el("a", "reward-gateway", href=place.link_to(HOME), class_="brand"),
        (
            el("a", text, href=place.link_to(path), aria_current="page" if path == place.path else None)
            for path, text in links
        ),
        el("a", "Guide", href=place.guide),
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title} · reward-gateway"),
        el("style", STYLE),
    )
    body = el(
        "body",
        el("header", navigation),
        el("main", *content),
        el("footer", f"reward-gateway {__version__} · generated from the operations that the service runs"),
        el("script", _SCRIPT),
    )
    return join(Html("<!doctype html>\n"), el("html", head, body, lang="en"))


def code_block(text: str, *, copy: bool = False) -> Html:
    """Render preformatted text, optionally with a copy button."""
    button = el("button", "copy", type="button", class_="copy", hidden=True)
    return el("div", el("pre", el("code", text), tabindex="0"), button if copy else None, class_="code")


def render_table(columns: tuple[str, ...], *rows: tuple[Content, ...]) -> Html:
    """Render a table that scrolls horizontally in a narrow window."""
    head = el("thead", el("tr", (el("th", column, scope="col") for column in columns)))
    body = el("tbody", (el("tr", (el("td", cell) for cell in row)) for row in rows))
    return el("div", el("table", head, body), class_="wide", tabindex="0")
