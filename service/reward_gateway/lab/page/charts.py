"""Charts, described for the page's script, each beside a table of its numbers for those who cannot see it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from reward_gateway.pages.html import Content, Html, el
from reward_gateway.pages.layout import render_table

Colour = Literal["a", "b", "chosen", "rejected", "soft"]
Numbers = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """One line, row of points or histogram.

    Attributes:
        label: in the legend; empty: it has no place there.
        kind: points (with intervals and sizes, if given) joined by a line, or dots, which are not; a plain line; a
            curve (with a band, if given); or steps, filled below.
        colour: by its role on the page.
        x, y: for steps, the edges, and one value less.
        low, high: ends of intervals, or of the band.
        sizes: how much each point stands for.
    """

    label: str
    kind: Literal["points", "dots", "line", "curve", "steps"]
    colour: Colour
    x: Numbers
    y: Numbers
    low: Numbers = ()
    high: Numbers = ()
    sizes: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart.

    Attributes:
        id: unique on the page.
        title: what it shows, for those who hear the page.
        x, y: what the axes say.
        percent: axes that are shares.
        x_range, y_range: fixed ends of the axes.
        height: in pixels.
        marks: places on the axis x with a vertical line, and what each says.
        time: x are seconds since 1970.
    """

    id: str
    title: str
    x: str
    y: str
    series: Sequence[Series]
    percent: Sequence[Literal["x", "y"]] = ()
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    height: int = 300
    marks: Sequence[tuple[float, str]] = ()
    time: bool = False

    def plain(self) -> dict[str, Any]:
        """It as JSON."""
        return asdict(self)


def render_chart(chart: Chart, columns: tuple[str, ...], *rows: tuple[Content, ...]) -> Html:
    """The place of a chart, and its numbers as a table that opens."""
    return el(
        "figure",
        el("div", role="img", aria_label=chart.title, class_="chart", id=chart.id),
        el("details", el("summary", "numbers"), render_table(columns, *rows), class_="numbers"),
        class_="plot",
    )
