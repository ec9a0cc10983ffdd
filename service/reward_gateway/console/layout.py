"""The layout of every page: head, navigation, who is logged in."""

from collections.abc import Iterable

import orjson

from reward_gateway import __version__
from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.traffic.keys import ANYBODY

from .page import Page, Visit
from .visitors import TOKEN_FIELD, TOKEN_HEADER

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; form-action 'self'; base-uri 'none'"
)
"""Pages have no script and no style of their own: all are files, from here."""

HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}

_HTMX = orjson.dumps(
    {
        "includeIndicatorStyles": False,
        "allowEval": False,
        "historyCacheSize": 0,  # no text of a page stays in the browser's storage
        "selfRequestsOnly": True,
        "defaultSettleDelay": 0,  # what is shown answers to a click at once; no transition of ours waits for it
        "responseHandling": [
            {"code": "204", "swap": False},
            {"code": "[23]..", "swap": True},
            {"code": "[45]..", "swap": True, "error": True},  # the answer says what was wrong
        ],
    }
).decode()


def render_layout(visit: Visit, pages: Iterable[Page], *content: Content, title: str | None = None) -> Html:
    """A complete HTML document."""
    page = visit.page
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="htmx-config", content=_HTMX),
        el("title", f"{title or page.title} · reward-gateway"),
        el("link", rel="icon", href=visit.asset("icon.svg"), type="image/svg+xml"),
        (
            el("link", rel="stylesheet", href=visit.asset(name))
            for name in ("pages.css", "uPlot.min.css", "console.css", *page.styles)
        ),
        (el("script", src=visit.asset(name), defer=True) for name in ("htmx.min.js", "htmx-ext-sse.min.js")),
        (_render_script(visit, name) for name in ("copy.js", *page.scripts)),
    )
    headers = orjson.dumps({TOKEN_HEADER: visit.token}).decode()
    body = el(
        "body",
        el("a", "Skip to the content", href="#content", class_="skip"),
        el("header", _render_navigation(visit, pages)),
        el("main", *content, id="content", tabindex="-1"),
        el("footer", f"reward-gateway {__version__} · ", _render_links(visit)),
        hx_headers=headers,
    )
    return join(Html("<!doctype html>\n"), el("html", head, body, lang="en"))


def _render_script(visit: Visit, name: str) -> Html:
    """A module of ours, or a script of others that sets a global name."""
    if name.endswith(".iife.min.js"):
        return el("script", src=visit.asset(name), defer=True)
    return el("script", src=visit.asset(name), type="module")


def _render_navigation(visit: Visit, pages: Iterable[Page]) -> Html:
    shown = [page for page in pages if page.order is not None and visit.has_right(page.right)]
    shown.sort(key=lambda page: (page.order, page.name))
    return el(
        "nav",
        el("a", "reward-gateway", href=visit.link_to("/"), class_="brand"),
        el(
            "ul",
            (
                el(
                    "li",
                    el(
                        "a",
                        page.title,
                        href=visit.link_to(page.path),
                        aria_current="page" if page is visit.page else None,
                    ),
                )
                for page in shown
            ),
        ),
        _render_visitor(visit),
        aria_label="Console",
    )


def _render_visitor(visit: Visit) -> Html | None:
    if visit.key is ANYBODY or not visit.key.rights:
        return None
    return el(
        "form",
        el("span", visit.key.name, class_="who", title="The API key that you logged in with"),
        el("input", type="hidden", name=TOKEN_FIELD, value=visit.token),
        el("button", "Log out", type="submit", class_="quiet"),
        method="post",
        action=visit.link_to("/console/logout"),
        class_="visitor",
    )


def _render_links(visit: Visit) -> Html:
    links = [("/docs/guide/", "Guide"), ("/docs", "API"), ("/pages", "Operations and recipes")]
    if visit.has_right("admin"):
        links.append(("/console/keys", "Keys"))
    return join(*([el("a", text, href=visit.link_to(path)), " "] for path, text in links))
