"""Files that others made and pages carry: scripts and styles of npm packages, listed in ``static/assets.yaml``."""

from functools import cache
from pathlib import Path

from .html import Html

STATIC = Path(__file__).with_name("static")


@cache
def read_asset(name: str) -> Html:
    """The text of a script or a style sheet, as it may stand inside its element."""
    return Html((STATIC / name).read_text(encoding="utf-8"))


PLOTS = Html(Path(__file__).with_name("plots.js").read_text(encoding="utf-8"))
"""Our own module that draws charts over uPlot."""
