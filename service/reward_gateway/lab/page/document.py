"""The document of a report: head, style, content, and the script that draws its charts; nothing is loaded."""

import json
from collections.abc import Sequence
from pathlib import Path

from reward_gateway import __version__
from reward_gateway.pages.assets import PLOTS, read_asset
from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.pages.layout import STYLE, hash_source

from .charts import Chart

_HERE = Path(__file__)
_STYLES = (STYLE, read_asset("uPlot.min.css"), Html(_HERE.with_name("report.css").read_text(encoding="utf-8")))
_PLOTS = Html(PLOTS + _HERE.with_name("report.js").read_text(encoding="utf-8"))
_UPLOT = read_asset("uPlot.iife.min.js")

_POLICY = (
    f"default-src 'none'; style-src {' '.join(map(hash_source, _STYLES))}; "
    f"script-src {' '.join(map(hash_source, (_UPLOT, _PLOTS)))}; base-uri 'none'; form-action 'none'"
)
"""The texts of a report come from anywhere: a browser runs the two scripts of the page, and loads nothing."""


def render_document(title: str, charts: Sequence[Chart], *content: Content) -> Html:
    """A complete HTML document.

    Args:
        charts: what the places for charts in ``content`` hold, see :func:`.charts.render_chart`.
    """
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title} · reward-gateway"),
        (el("style", style) for style in _STYLES),
    )
    data = json.dumps([chart.plain() for chart in charts], allow_nan=False).replace("<", "\\u003c")
    body = el(
        "body",
        el("main", el("h1", title), *content),
        el("footer", f"reward-gateway {__version__} · this file needs no network"),
        el("script", Html(data), type="application/json", id="charts"),
        el("script", _UPLOT),
        el("script", _PLOTS, type="module"),
    )
    return join(Html("<!doctype html>\n"), el("html", head, body, lang="en"))
