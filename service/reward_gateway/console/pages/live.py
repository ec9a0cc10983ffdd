"""Live: what the rewards of a run are like, as they come."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson

from reward_gateway.counted import count_of
from reward_gateway.errors import NotFound, StateUnavailable
from reward_gateway.lab.page.charts import Chart
from reward_gateway.lab.page.parts import render_facts
from reward_gateway.lab.page.run import draw_curves, render_figures, render_newest, render_versions
from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.runs.heads import Head
from reward_gateway.runs.history import RunHistory
from reward_gateway.runs.loaded import LoadedRun
from reward_gateway.runs.store import RunName

from ..live_view import SHARES, Follower, View, list_buckets, read_view
from ..page import Page, Titled, Visit
from ..streams import Event, Events
from ..widgets import render_code, render_empty, render_note

page = Page("live", "Live", order=3, scripts=("uPlot.iife.min.js", "live.js"), styles=("charts.css", "live.css"))

EVERY_S = 1.0
"""Seconds between two looks at a run."""

RUNS = 200
"""Runs to choose from, those seen last."""

Drift = Mapping[str, Mapping[str, float] | None]
"""By recipe, PSI and Kolmogorov-Smirnov distance."""


@page.show
async def show(visit: Visit) -> Html | Titled:
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
    view = read_view(visit, heads)
    follower = Follower(history, view)
    run = await follower.load()
    told, drift = run.describe(shared=history.store.shared), await follower.measure_drift(run)
    sections = await asyncio.to_thread(_render_sections, told)
    content = join(
        heading,
        _render_choice(view, heads, visit),
        None if history.store.shared else render_note("There is no store of state: this is what one worker scored."),
        el(
            "div",
            el("div", _render_figures(follower, view, told, drift), id="figures"),
            sections,
            id="live",
            data_events=f"{visit.link_to('/console/live/events')}?{view.query()}",
        ),
        el("p", "", id="connection", role="status", class_="soft"),
    )
    return Titled(view.recipe or view.name.run or "no run", content)


@page.stream("events")
def events(visit: Visit) -> Events:
    """Figures and charts whenever the run has changed, looked at every second."""
    if visit.parts.runs is None:
        raise NotFound("no history of runs is kept")
    return _follow(visit.parts.runs, read_view(visit, ()))


async def _follow(history: RunHistory, view: View) -> AsyncGenerator[Event, None]:
    follower, seen = Follower(history, view), b""
    while True:
        try:
            run = await follower.load()
            if run.revision != seen:
                drift = await follower.measure_drift(run)
                seen = run.revision
                for event in await asyncio.to_thread(_make_events, history, follower, view, run, drift):
                    yield event
        except NotFound:  # it was forgotten
            return
        except StateUnavailable:
            pass
        await asyncio.sleep(EVERY_S)


def _make_events(history: RunHistory, follower: Follower, view: View, run: LoadedRun, drift: Drift) -> list[Event]:
    told = run.describe(shared=history.store.shared)
    charts = [chart.plain() for key, recipe in _keyed(told) for chart in _draw(key, recipe, told)[0]]
    figures = _render_figures(follower, view, told, drift)
    return [Event("figures", figures), Event("charts", orjson.dumps(charts).decode())]


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


def _render_figures(follower: Follower, view: View, told: dict[str, Any], drift: Drift) -> Html:
    """What changes with every event, beside the charts."""
    sections = []
    for _, recipe in _keyed(told):
        found = told["rewards"][recipe]
        sections.append(
            el(
                "section",
                el("h2", recipe),
                render_figures(found["series"]),
                render_facts([(f"drift from {_describe_window(view)}", _describe_drift(drift[recipe]))]),
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
    return join(el("p", _describe_samples(follower, view, told), class_="lead"), *sections)


def _describe_samples(follower: Follower, view: View, told: dict[str, Any]) -> str:
    counts = f"{count_of(told['samples'], 'sample')}, {told['invalid']:,} of them without a reward"
    if not view.recipe:
        return f"{counts}."
    whose = "of all callers" if not view.name.caller else "of yours"
    runs = "the one run" if follower.runs == 1 else f"all {follower.runs:,} runs"
    return f"{view.recipe} over {runs} {whose}: {counts} in the rows below."


def _describe_window(view: View) -> str:
    if view.window is None:
        return SHARES[view.share]
    if view.bucket == "step":
        return "steps {:,} to {:,}".format(*view.window)
    try:
        ends = [datetime.fromtimestamp(end, UTC) for end in view.window]
    except (OverflowError, ValueError):
        return "a time that no calendar has"
    return "{:%Y-%m-%d %H:%M} to {:%Y-%m-%d %H:%M} (UTC)".format(*ends)


def _describe_drift(drift: Mapping[str, float] | None) -> Content:
    if drift is None:
        return "too few samples to tell (100 on either side)"
    moved = "stable" if drift["psi"] < 0.1 else "a shift" if drift["psi"] > 0.25 else "some movement"
    return f"PSI {drift['psi']:.3f}, Kolmogorov-Smirnov distance {drift['ks']:.3f}: {moved}"


def _render_choice(view: View, heads: Sequence[Head], visit: Visit) -> Html:
    """The forms that choose what is shown; the first one without a script, by its button."""
    several = len({head.caller for head in heads}) > 1
    runs = [RunName(head.caller, head.run) for head in heads]
    if view.recipe is None and view.name not in runs:
        runs.insert(0, view.name)
    recipes = list(dict.fromkeys(recipe for head in heads for recipe in head.rewards))
    chosen = {"recipe": view.recipe} if view.recipe else {"caller": view.name.caller, "name": view.name.run}
    run_links = [
        _render_link(
            visit,
            f"{caller}: {run or 'no run'}" if several else run or "no run",
            {"caller": caller, "name": run, "window": view.share},
            is_chosen=view.recipe is None and (caller, run) == view.name,
        )
        for caller, run in runs
    ]
    recipe_links = [
        _render_link(visit, name, {"recipe": name, "window": view.share}, is_chosen=name == view.recipe)
        for name in recipes
    ]
    return el(
        "div",
        el(
            "div",
            el("nav", el("h2", "Runs"), el("ul", run_links), aria_label="Runs", class_="runs"),
            el(
                "nav",
                el("h2", "Recipes, over all runs"),
                el("ul", recipe_links),
                aria_label="Recipes, over all runs",
                class_="runs",
            ),
            class_="what",
        ),
        el(
            "div",
            el(
                "form",
                (el("input", type="hidden", name=name, value=value) for name, value in chosen.items()),
                _render_select("bucket", "Rows by", {name: name for name in list_buckets(view.recipe)}, view.bucket),
                _render_select("window", "Newest tenth against", SHARES, view.share),
                el("button", "Show", type="submit"),
                method="get",
                action=visit.link_to(page.path),
                class_="view",
            ),
            _render_window(view),
            class_="how",
        ),
        class_="choice",
    )


def _render_link(visit: Visit, text: str, query: dict[str, str], *, is_chosen: bool) -> Html:
    target = f"{visit.link_to(page.path)}?{urlencode(query)}"
    return el("li", el("a", text, href=target, aria_current="true" if is_chosen else None))


def _render_window(view: View) -> Html:
    """The form of a window of one's own, which the script keeps in the fragment."""
    steps = view.bucket == "step"
    kind: dict[str, Any] = {"type": "number", "step": 1} if steps else {"type": "datetime-local"}
    return el(
        "form",
        (
            el("label", el("span", text), el("input", name=name, required=True, **kind))
            for name, text in (
                ("from", "or against step" if steps else "or against rows from (UTC)"),
                ("to", "to step" if steps else "to (UTC)"),
            )
        ),
        el("button", "Compare", type="submit"),
        el("button", "Clear", type="reset", hidden=True),
        id="window",
        class_="view",
        data_unit="step" if steps else "time",
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
