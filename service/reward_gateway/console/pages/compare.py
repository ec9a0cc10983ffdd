"""Compare: two recipes, models or columns on a file of samples, and the experiments that run."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from time import monotonic
from typing import Any

import orjson

from reward_gateway.counted import count_of
from reward_gateway.errors import GatewayError, NotFound
from reward_gateway.lab.side_by_side import compare_side_by_side
from reward_gateway.lab.words import number, share
from reward_gateway.pages.html import Html, el, join
from reward_gateway.pages.layout import render_table

from ..comparison import Asked, Compared, compare_table, most_rows, read_file
from ..page import Page, Visit
from ..side_by_side import Drawn, draw_comparison, draw_side_by_side, render_ranks
from ..streams import Event, Events
from ..widgets import render_empty, render_note

page = Page(
    "compare",
    "Compare",
    order=5,
    scripts=("uPlot.iife.min.js", "compare.js"),
    styles=("charts.css", "compare.css"),
)


@page.show
async def show(visit: Visit) -> Html:
    """The form, the experiments, and room for what is found."""
    return join(
        el("h1", "Compare"),
        el(
            "p",
            "Two rewards of the same samples beside each other. A file is scored through this gateway like any "
            "request; nothing of it is kept, and no state changes.",
            class_="lead",
        ),
        _render_form(visit),
        el(
            "div",
            render_empty("Nothing was compared yet", "Choose a file and two rewards, then press Compare."),
            id="result",
            aria_live="polite",
        ),
        _render_experiments(visit, await asyncio.to_thread(_read_reports, visit)),
    )


@page.post_stream("run")
def run(visit: Visit) -> Events:
    """Progress, then what was found, as the samples are scored."""
    return _compare(visit)


async def _compare(visit: Visit) -> AsyncGenerator[Event, None]:
    try:
        asked = await Asked.read(await visit.form())
        yield _tell(0, 1, "Reading the file …")
        table = await read_file(visit, asked)
        size, began = len(table.samples), monotonic()
        async for done, compared in compare_table(visit, asked.sides, table):
            yield _tell(done, size, _describe_progress(done, size, monotonic() - began))
            if compared is not None:
                for event in await asyncio.to_thread(_make_events, compared):
                    yield event
    except GatewayError as error:
        yield Event("result", render_note(error.message, kind="error"))


def _make_events(compared: Compared) -> list[Event]:
    drawn = draw_comparison(compared)
    return [Event("result", drawn.content), Event("charts", _encode_charts(drawn))]


def _encode_charts(drawn: Drawn) -> str:
    return orjson.dumps([chart.plain() for chart in drawn.charts]).decode()


def _tell(done: int, of: int, say: str) -> Event:
    return Event("progress", orjson.dumps({"done": done, "of": of, "say": say}).decode())


def _describe_progress(done: int, size: int, seconds: float) -> str:
    if done == size:
        return f"{count_of(size, 'sample')}; computing the figures …"
    left = f", about {seconds / done * (size - done):.0f} s left" if done and seconds > 2 else ""
    return f"{done:,} of {count_of(size, 'sample')}{left}"


# The form


def _render_form(visit: Visit) -> Html:
    book = visit.parts.gateway.book
    names = [plan.name for plan in book]
    other = next((name for name in names if name != book.default), book.default)
    settings = visit.parts.settings
    return el(
        "form",
        el(
            "div",
            el("label", "File of samples", for_="file"),
            el(
                "div",
                el(
                    "input",
                    type="file",
                    id="file",
                    name="file",
                    required=True,
                    accept=".jsonl,.ndjson,.csv,.parquet",
                    aria_describedby="limits",
                ),
                class_="drop",
            ),
            el(
                "p",
                "JSON lines, CSV or Parquet with the columns prompt and response, or what reward-gateway score wrote. "
                f"At most {most_rows(settings):,} rows and {settings.max_body_bytes >> 20:,} MiB.",
                id="limits",
                class_="note",
            ),
        ),
        _render_side(visit, "a", book.choose().name),
        _render_side(visit, "b", other),
        el(
            "div",
            el("button", "Compare", type="submit", id="start", class_="primary"),
            el("button", "Cancel", type="button", id="cancel", hidden=True),
            el("progress", hidden=True, aria_label="Progress of the comparison"),
            el("span", id="status", role="status", class_="soft"),
            class_="actions",
        ),
        id="compare",
        method="post",
        action=visit.link_to("/console/compare/run"),
        enctype="multipart/form-data",
        autocomplete="off",
    )


def _render_side(visit: Visit, name: str, chosen: str) -> Html:
    gateway = visit.parts.gateway
    recipes = [plan.name for plan in gateway.book]
    models = [model for model in gateway.runtime.known_models() or {} if model not in recipes]
    return el(
        "div",
        el("label", el("span", name.upper(), class_=f"key {name}"), for_=name),
        el(
            "select",
            _render_options("Recipes", recipes, chosen),
            _render_options("Models and versions", models, chosen) if models else None,
            el("optgroup", el("option", "a column of the file …", value="column"), label="In the file"),
            id=name,
            name=name,
        ),
        el(
            "div",
            el("label", f"Column with the rewards of {name.upper()}", for_=f"{name}_column"),
            el("input", type="text", id=f"{name}_column", name=f"{name}_column", value="reward"),
            class_="column",
        ),
        class_="side",
    )


def _render_options(label: str, names: Sequence[str], chosen: str) -> Html:
    return el(
        "optgroup",
        (el("option", name, value=f"reward:{name}", selected=name == chosen) for name in names),
        label=label,
    )


# Experiments


@page.get("experiment")
async def experiment(visit: Visit) -> Html:
    """The latest samples of an experiment."""
    name = visit.request.query_params.get("name", "")
    gateway = visit.parts.gateway
    found = gateway.book.experiments.get(name)
    if found is None:
        raise NotFound("there is no experiment of this name in the recipe file")
    comparison = gateway.shadow.find_comparison(name)
    groups, served, candidate = comparison.read_scores()
    names = found.model, found.candidate
    compared = await asyncio.to_thread(compare_side_by_side, served, candidate, groups, comparison.read_words())
    drawn = await asyncio.to_thread(draw_side_by_side, names, compared, served, candidate)
    return el(
        "section",
        el("h2", f"Experiment {name}"),
        el(
            "p",
            f"A is the model that is served, {found.model}, and B the candidate, {found.candidate}: their scores of "
            "the latest samples that this one process compared. Of an experiment no text is kept.",
            class_="soft",
        ),
        drawn.content,
        render_ranks(names, compared, groups),
        el("span", data_charts=_encode_charts(drawn), hidden=True),
    )


def _read_reports(visit: Visit) -> list[dict[str, Any]]:
    gateway = visit.parts.gateway
    return gateway.shadow.build_reports(gateway.book.experiments)


def _render_experiments(visit: Visit, reports: Sequence[Mapping[str, Any]]) -> Html:
    rows = [
        (
            el("code", report["name"]),
            f"{report['model']} beside {report['candidate']}",
            f"{report['n']:,}",
            number(report["pearson"]),
            number(report["spearman"]),
            share(report["pair_agreement"]),
            share(report["best_changed"]),
            el(
                "button",
                "Show",
                type="button",
                hx_get=visit.link_to("/console/compare/experiment"),
                name="name",
                value=report["name"],
                hx_target="#result",
                aria_label=f"Show the experiment {report['name']}",
            ),
        )
        for report in reports
    ]
    columns = ("experiment", "models", "samples", "Pearson", "Spearman", "pairs alike", "best differs", "")
    return el(
        "section",
        el("h2", "Experiments"),
        el("p", "What one process, which answered this page, compared of late.", class_="note") if rows else None,
        render_table(columns, *rows)
        if rows
        else render_empty(
            "No experiment runs",
            "Name a candidate under ",
            el("code", "experiments:"),
            " in the recipe file: it then ",
            "scores a share of the live samples beside the model that is served.",
        ),
        aria_label="Experiments",
    )
