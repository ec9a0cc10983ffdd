"""Live: what the rewards of a run are like, as they come."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, NamedTuple, cast, get_args
from urllib.parse import urlencode

import orjson

from reward_gateway.errors import InvalidRequest, NotFound, StateUnavailable
from reward_gateway.lab.page.charts import Chart
from reward_gateway.lab.page.parts import render_facts
from reward_gateway.lab.page.run import draw_curves, render_figures, render_newest, render_versions
from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.runs.heads import Head
from reward_gateway.runs.history import RunHistory
from reward_gateway.runs.loaded import Bucket, LoadedRun
from reward_gateway.runs.store import RunName

from ..page import Page, Visit
from ..streams import Event, Events
from ..widgets import render_code, render_empty, render_note

page = Page("live", "Live", order=3, scripts=("uPlot.iife.min.js", "live.js"), styles=("charts.css", "live.css"))

EVERY_S = 1.0
"""Seconds between two looks at a run."""

ROWS = 360
"""Rows that the page shows: six hours of minutes, fifteen days of hours."""

RUNS = 200
"""Runs to choose from, those seen last."""

WINDOWS = {"0.1": "the first tenth", "0.25": "the first quarter", "0.5": "the first half"}


class View(NamedTuple):
    """What the page shows: of which run, by what, and which rows the newest are compared with."""

    name: RunName
    bucket: Bucket
    window: str


@page.show
async def show(visit: Visit) -> Html:
    """The run that was chosen, or the one seen last, and its charts as they are now."""
    heading = el("h1", "Live")
    history = visit.parts.runs
    if history is None:
        return join(
            heading,
            render_empty(
                "No history of runs is kept",
                "Start the gateway with ",
                el("code", "--run-history-bytes"),
                " above 0.",
            ),
        )
    heads, _ = await history.list_page(None if visit.has_right("admin") else visit.key.caller, None, RUNS)
    if not heads:
        return join(heading, _render_no_runs(visit))
    view = _read_view(visit, heads)
    run = await history.load(view.name, view.bucket, ROWS)
    told = run.describe(shared=history.store.shared)
    sections = await asyncio.to_thread(_render_sections, told)
    return join(
        heading,
        _render_choice(view, heads, visit),
        None if history.store.shared else render_note("There is no store of state: this is what one worker scored."),
        el(
            "div",
            el("div", _render_figures(run, told, view.window), id="figures"),
            sections,
            id="live",
            data_events=f"{visit.link_to('/console/live/events')}?{_query_of(view)}",
        ),
        el("p", "", id="connection", role="status", class_="soft"),
    )


@page.stream("events")
def events(visit: Visit) -> Events:
    """Figures and charts whenever the run has changed, looked at every second."""
    if visit.parts.runs is None:
        raise NotFound("no history of runs is kept")
    return _follow(visit.parts.runs, _read_view(visit, ()))


async def _follow(history: RunHistory, view: View) -> AsyncGenerator[Event, None]:
    seen = b""
    while True:
        try:
            run = await history.load(view.name, view.bucket, ROWS)
        except NotFound:  # it was forgotten
            return
        except StateUnavailable:
            run = None
        if run is not None and run.revision != seen:
            seen = run.revision
            for event in await asyncio.to_thread(_make_events, history, run, view.window):
                yield event
        await asyncio.sleep(EVERY_S)


def _make_events(history: RunHistory, run: LoadedRun, window: str) -> list[Event]:
    told = run.describe(shared=history.store.shared)
    charts = [chart.plain() for key, recipe in _keyed(told) for chart in _draw(key, recipe, told)[0]]
    figures = _render_figures(run, told, window)
    return [Event("figures", figures), Event("charts", orjson.dumps(charts).decode())]


def _read_view(visit: Visit, heads: Sequence[Head]) -> View:
    """What the query names; of ``heads`` the first, where it names no run.

    Raises:
        InvalidRequest, PermissionDenied: it names what there is not, or another caller's run without the right.
    """
    given = visit.request.query_params
    caller, name = given.get("caller"), given.get("name")
    if name is None and heads:
        caller, name = heads[0].caller, heads[0].run
    found = RunName(caller or visit.key.caller, name or "")
    if found.caller != visit.key.caller:
        visit.require("admin")
    bucket, window = given.get("bucket", ""), given.get("window", "0.1")
    if not bucket:
        head = next((head for head in heads if (head.caller, head.run) == found), None)
        bucket = "step" if head is not None and head.last_step is not None else "minute"
    if bucket not in get_args(Bucket) or window not in WINDOWS:
        raise InvalidRequest("there is no such view of a run", param="bucket")
    return View(found, cast("Bucket", bucket), window)


def _query_of(view: View) -> str:
    return urlencode({"caller": view.name.caller, "name": view.name.run, "bucket": view.bucket, "window": view.window})


def _keyed(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Keys of charts with the recipes that have rows."""
    recipes = told["rewards"].items()
    return [(f"r{place}", recipe) for place, (recipe, found) in enumerate(recipes) if found["series"]]


def _draw(key: str, recipe: str, told: dict[str, Any]) -> tuple[list[Chart], Html]:
    return draw_curves(key, recipe, told["rewards"][recipe], told["bucket"], tables=False)


def _render_sections(told: dict[str, Any]) -> Html:
    """The places of the charts, by recipe."""
    return join(
        *(
            el(
                "section",
                el("h2", f"{recipe}, row by row"),
                _draw(key, recipe, told)[1],
                aria_label=f"Charts of {recipe}",
            )
            for key, recipe in _keyed(told)
        )
    )


def _render_figures(run: LoadedRun, told: dict[str, Any], window: str) -> Html:
    """What changes with every event, beside the charts."""
    drift = run.measure_drift(float(window))
    sections = []
    for _, recipe in _keyed(told):
        found = told["rewards"][recipe]
        sections.append(
            el(
                "section",
                el("h2", recipe),
                render_figures(found["series"]),
                render_facts([(f"drift from {WINDOWS[window]}", _describe_drift(drift[recipe]))]),
                render_newest(found["series"], told["bucket"]),
                el("details", el("summary", "versions of the recipe"), render_versions(found["versions"])),
                aria_label=f"Figures of {recipe}",
            )
        )
    if not sections:
        what = {"step": "No request of this run has named its step", "minute": "Nothing was scored for hours"}
        sections.append(
            render_empty(
                what.get(told["bucket"], "There is nothing to show"), "Choose another width of the rows above."
            )
        )
    return join(el("p", _describe_samples(told), class_="lead"), *sections)


def _describe_samples(told: dict[str, Any]) -> str:
    return f"{told['samples']:,} samples, {told['invalid']:,} of them without a reward."


def _describe_drift(drift: dict[str, float] | None) -> Content:
    if drift is None:
        return "too few samples to tell (100 on either side)"
    moved = "stable" if drift["psi"] < 0.1 else "a shift" if drift["psi"] > 0.25 else "some movement"
    return f"PSI {drift['psi']:.3f}, Kolmogorov-Smirnov distance {drift['ks']:.3f}: {moved}"


def _render_choice(view: View, heads: Sequence[Head], visit: Visit) -> Html:
    """The form that chooses what is shown; without a script, by its button."""
    several = len({head.caller for head in heads}) > 1
    runs = [RunName(head.caller, head.run) for head in heads]
    if view.name not in runs:
        runs.insert(0, view.name)
    links = [
        el(
            "li",
            el(
                "a",
                f"{caller}: {run or 'no run'}" if several else run or "no run",
                href=f"{visit.link_to(page.path)}?{urlencode({'caller': caller, 'name': run, 'window': view.window})}",
                aria_current="true" if (caller, run) == view.name else None,
            ),
        )
        for caller, run in runs
    ]
    return el(
        "div",
        el("nav", el("ul", links), aria_label="Runs", class_="runs"),
        el(
            "form",
            el("input", type="hidden", name="caller", value=view.name.caller),
            el("input", type="hidden", name="name", value=view.name.run),
            _render_select("bucket", "Rows by", {name: name for name in get_args(Bucket)}, view.bucket),
            _render_select("window", "Newest tenth against", WINDOWS, view.window),
            el("button", "Show", type="submit"),
            method="get",
            action=visit.link_to(page.path),
            class_="view",
        ),
        class_="choice",
    )


def _render_select(name: str, label: str, options: dict[str, str], chosen: str) -> Html:
    return el(
        "label",
        el("span", label),
        el(
            "select",
            (el("option", text, value=key, selected=key == chosen) for key, text in options.items()),
            name=name,
        ),
    )


def _render_no_runs(visit: Visit) -> Html:
    body = '{"samples": [{"prompt": "How do I boil an egg?", "response": "In boiling water, for 8 minutes."}]}'
    call = (
        f"curl {visit.origin}/v1/score -H 'Content-Type: application/json' \\\n"
        f"  -H 'X-Run: my-run' -H 'X-Run-Step: 1' -d '{body}'"
    )
    return join(
        render_empty(
            "Nothing was scored yet",
            "Send the header ",
            el("code", "X-Run"),
            " with the name of the training run, and ",
            el("code", "X-Run-Step"),
            " with its step, and the run is here a moment later.",
        ),
        render_code(call, "request"),
    )
