"""The history of a training run, as ``GET /v1/runs/{run}`` answers it, as a page."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.pages.layout import render_table

from ..words import number, share
from .charts import Chart, Colour, Series, render_chart
from .document import render_document
from .parts import render_card, render_facts, render_section

_COLOURS: tuple[Colour, ...] = ("a", "b", "chosen", "rejected", "soft")
_AXES = {"minute": "time", "hour": "time", "step": "step"}

TABLE_ROWS = 200
"""Rows of a table beside a chart, at most; the newest."""

Row = Mapping[str, Any]
Drawn = tuple[list[Chart], Html]


def render_run(run: Mapping[str, Any]) -> Html:
    """The page of a run.

    Args:
        run: the answer of the API, with numbers by minute, hour or step.
    """
    charts: list[Chart] = []
    sections = []
    for place, (recipe, told) in enumerate(run["rewards"].items()):
        made, content = _draw_recipe(f"r{place}", recipe, told, run["bucket"])
        charts += made
        sections.append(render_section(recipe, content))
    empty = el("p", f"No sample of this run was scored with what makes a row of a {run['bucket']}.", class_="verdict")
    return render_document(
        run["run"] or "no run",
        charts,
        el("p", _describe_run(run), class_="lead soft"),
        sections if any(told["series"] for told in run["rewards"].values()) else empty,
        render_section(
            "Read",
            note="Rewards are those before the comparison within groups, as trainers log them; the band goes from the "
            "5 % quantile to the 95 % quantile, and std has the divisor n − 1. Groups without variance are those of "
            "two or more valid samples whose rewards are all equal: they carry no signal. A dotted line marks where "
            "the version of the recipe changed.",
        ),
    )


def _describe_run(run: Mapping[str, Any]) -> str:
    since, until = (datetime.fromtimestamp(run[name], UTC).strftime("%Y-%m-%d %H:%M") for name in _SEEN)
    shared = "" if run["shared"] else " Numbers of one worker: the gateway has no store of state."
    return (
        f"{run['samples']:,} samples of {run['caller']}, {run['invalid']:,} of them without a reward, from {since} to "
        f"{until} (UTC), by {run['bucket']}.{shared}"
    )


_SEEN = ("first_seen", "last_seen")


def _draw_recipe(key: str, recipe: str, told: Mapping[str, Any], bucket: str) -> Drawn:
    series: list[Row] = told["series"]
    if not series:
        return [], el("p", f"no rows of a {bucket}", class_="soft")
    charts, places = draw_curves(key, recipe, told, bucket)
    return charts, join(
        render_figures(series), places, el("h3", "Versions of the recipe"), render_versions(told["versions"])
    )


def draw_curves(key: str, recipe: str, told: Mapping[str, Any], bucket: str, *, tables: bool = True) -> Drawn:
    """The charts of one recipe, and their places.

    Args:
        key: what the charts' ids begin with, unique on the page.
        told: the recipe's part of the answer, with at least one row.
        tables: beside each chart, a table of its numbers.
    """
    series: list[Row] = told["series"]
    curves = _Curves(key, recipe, series, told["versions"], bucket, tables=tables)
    names = list(dict.fromkeys(name for row in series for name in row["components"]))
    parts: list[tuple[str, Drawn]] = [("Reward", curves.draw_distribution("reward", lambda row: row))]
    if any(row["advantage"] for row in series):
        parts.append(("Advantage", curves.draw_distribution("advantage", lambda row: row["advantage"] or {})))
    parts.append(("Components, mean", curves.draw("components", {n: _component_of(n) for n in names})))
    parts.append(("Shares of samples and groups", curves.draw("shares", _SHARES, is_share=True)))
    correlation = {"correlation of reward and length": _read("length_correlation")}
    parts.append(("Length", curves.draw("length", correlation, y_range=(-1.05, 1.05))))
    return (
        [chart for _, (charts, _) in parts for chart in charts],
        el("div", (el("div", el("h3", title), place) for title, (_, place) in parts), class_="plots"),
    )


def render_versions(versions: Sequence[Mapping[str, Any]]) -> Html:
    """When which version of the recipe began."""
    return render_facts(
        [(found["version"], f"since {_when(found['since'])}" + _at_step(found["step"])) for found in versions]
    )


def render_figures(series: Sequence[Row]) -> Html:
    """The headline figures of a recipe's rows."""
    last, n = series[-1], sum(row["n"] for row in series)
    invalid = sum(row["invalid"] for row in series)
    first = series[0]["mean"]
    change = None if None in (first, last["mean"]) else f"{last['mean'] - first:+.4g} since the first row"
    cards = (
        ("mean of the newest row", number(last["mean"]), change),
        ("std of the newest row", number(last["std"]), None),
        ("groups without variance", share(last["zero_variance_share"]), "in the newest row"),
        ("samples without a reward", share(invalid / n if n else None), f"of {n:,}"),
    )
    return el(
        "div",
        (
            render_card(name, figure, el("p", more, class_="soft") if more else None, colour="a")
            for name, figure, more in cards
        ),
        class_="cards",
    )


def render_newest(series: Sequence[Row], bucket: str, most: int = 8) -> Html:
    """The newest rows as a table, the last one first."""
    at = "step" if bucket == "step" else "t"
    rows = []
    for row in reversed(series[-most:]):
        quantiles = row["quantiles"] or {}
        rows.append(
            (
                f"{row[at]:,}" if bucket == "step" else _when(row[at]),
                f"{row['n']:,}",
                *(number(value) for value in (row["mean"], row["std"], quantiles.get("0.05"), quantiles.get("0.95"))),
                share(row["zero_variance_share"]),
                f"{row['invalid']:,}",
                f"{row['flagged']:,}",
                number(row["length_correlation"]),
            )
        )
    columns = (bucket, "samples", "mean", "std", "5 %", "95 %", "no variance", "invalid", "flagged", "length")
    return el("div", render_table(columns, *rows), class_="newest")


class _Curves:
    """Draws the rows of one recipe."""

    def __init__(
        self, key: str, recipe: str, rows: Sequence[Row], versions: Sequence[Row], bucket: str, *, tables: bool
    ) -> None:
        self._tables = tables
        self._key, self._recipe, self._rows, self._axis = key, recipe, rows, _AXES[bucket]
        self._at = "step" if bucket == "step" else "t"
        at = "step" if bucket == "step" else "since"
        self._marks = [(found[at], found["version"][:10]) for found in versions[1:] if found[at] is not None]

    def draw_distribution(self, name: str, read: Callable[[Row], Row]) -> Drawn:
        """Mean with the band of quantiles, and the standard deviation."""
        told = [read(row) for row in self._rows]
        quantiles = [one.get("quantiles") or {} for one in told]
        low, high = ([found.get(q) for found in quantiles] for q in ("0.05", "0.95"))
        lines = [
            Series("mean, 5 % to 95 %", "curve", "a", self._x, [one.get("mean") for one in told], low, high),
            Series("median", "line", "a", self._x, [found.get("0.5") for found in quantiles]),
            Series("std", "curve", "b", self._x, [one.get("std") for one in told]),
        ]
        return self._finish(name, lines, None, is_share=False)

    def draw(
        self,
        name: str,
        readers: Mapping[str, Callable[[Row], Any]],
        *,
        is_share: bool = False,
        y_range: tuple[float, float] | None = None,
    ) -> Drawn:
        """A curve for each reader of a row."""
        lines = [
            Series(label, "curve", _COLOURS[k % len(_COLOURS)], self._x, [read(row) for row in self._rows])
            for k, (label, read) in enumerate(readers.items())
        ]
        return self._finish(name, lines, (-0.03, 1.03) if is_share else y_range, is_share=is_share)

    @property
    def _x(self) -> list[float]:
        return [row[self._at] for row in self._rows]

    def _finish(
        self, name: str, lines: Sequence[Series], y_range: tuple[float, float] | None, *, is_share: bool
    ) -> Drawn:
        chart = Chart(
            f"{self._key}-{name}",
            f"{name} of {self._recipe} by {self._axis}",
            self._axis,
            name,
            lines,
            percent=("y",) if is_share else (),
            y_range=y_range or _range_of(lines),
            marks=self._marks,
            time=self._axis == "time",
        )
        if not self._tables:
            return [chart], el("div", role="img", aria_label=chart.title, class_="chart", id=chart.id)
        say = share if is_share else number
        rows: list[tuple[Content, ...]] = [
            (_when(x) if chart.time else f"{x:,}", *(say(line.y[k]) for line in lines))
            for k, x in list(enumerate(self._x))[-TABLE_ROWS:]
        ]
        return [chart], render_chart(chart, (self._axis, *(line.label for line in lines)), *rows)


def _range_of(lines: Sequence[Series]) -> tuple[float, float] | None:
    """What curves and their bands cover, and a little beside it."""
    values = [
        value for line in lines for column in (line.y, line.low, line.high) for value in column if value is not None
    ]
    if not values:
        return None
    beside = 0.05 * (max(values) - min(values)) or 0.05 * abs(values[0]) or 1.0
    return min(values) - beside, max(values) + beside


def _read(name: str) -> Callable[[Row], Any]:
    return lambda row: row[name]


def _share_of(name: str) -> Callable[[Row], float]:
    return lambda row: row[name] / row["n"]


_SHARES: Mapping[str, Callable[[Row], Any]] = {
    "groups without variance": _read("zero_variance_share"),
    "invalid": _share_of("invalid"),
    "flagged": _share_of("flagged"),
}


def _component_of(name: str) -> Callable[[Row], Any]:
    return lambda row: row["components"].get(name, {}).get("mean")


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _at_step(step: int | None) -> str:
    return "" if step is None else f", step {step:,}"
