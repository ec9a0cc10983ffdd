"""The frame of every page: head, navigation, style. One file each, no address of anybody else."""

import base64
import hashlib
from pathlib import Path

from reward_gateway import __version__

from .html import Content, Html, el, join
from .site import HOME, REWARDS, SYSTEMS, Place

_STYLE = Html(Path(__file__).with_name("style.css").read_text(encoding="utf-8"))
_SCRIPT = Html(Path(__file__).with_name("copy.js").read_text(encoding="utf-8"))


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a browser may do with a page: its own style and script, and nothing from anywhere."""


def page(place: Place, title: str, *content: Content) -> Html:
    """A whole document."""
    links = ((HOME, "Operations"), (REWARDS, "Recipes"), (SYSTEMS, "Not served"))
    navigation = el(
        "nav",
        el("a", "reward-gateway", href=place.to(HOME), class_="brand"),
        (
            el("a", text, href=place.to(path), aria_current="page" if path == place.path else None)
            for path, text in links
        ),
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title} · reward-gateway"),
        el("style", _STYLE),
    )
    body = el(
        "body",
        el("header", navigation),
        el("main", *content),
        el("footer", f"reward-gateway {__version__} · made from the registration that the service runs"),
        el("script", _SCRIPT),
    )
    return join(Html("<!doctype html>\n"), el("html", head, body, lang="en"))


def code(text: str, *, copy: bool = False) -> Html:
    """A block of text as it is, with a button that copies it where a browser can."""
    button = el("button", "copy", type="button", class_="copy", hidden=True)
    return el("div", el("pre", el("code", text), tabindex="0"), button if copy else None, class_="code")


def table(columns: tuple[str, ...], *rows: tuple[Content, ...]) -> Html:
    """A table that scrolls by itself where the window is narrow."""
    head = el("thead", el("tr", (el("th", column, scope="col") for column in columns)))
    body = el("tbody", (el("tr", (el("td", cell) for cell in row)) for row in rows))
    return el("div", el("table", head, body), class_="wide")
