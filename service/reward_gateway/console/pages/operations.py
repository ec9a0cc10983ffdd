"""Operations: what waits, what was refused and why, and which parts are away; looked at anew every few seconds."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.pages.layout import render_table
from reward_gateway.telemetry.instruments import PREFIX
from reward_gateway.telemetry.metrics import Metrics

from ..page import Page, Visit
from ..processes_view import look_at, render_processes, render_refusals

page = Page("operations", "Operations", order=7, right="admin")

EVERY_S = 2
"""Seconds between two looks: each reads the metrics of all workers."""

ROWS = 50
"""Rows of a table."""

Values = Mapping[str, Sequence[Sample]]

_FAILED = ("4", "5", "CANCELLED", "DEADLINE", "INTERNAL", "INVALID", "RESOURCE", "UNAUTH", "UNAVAILABLE", "UNKNOWN")


@page.show
async def show(visit: Visit) -> Html:
    """The state of this gateway, which the page then asks for again and again."""
    return join(
        el("h1", "Operations"),
        el(
            "p",
            "The processes of all pods, what they refused, and the servers and jobs of this machine, counted over all "
            "its workers since they started. No text of a request is kept for it.",
            class_="lead",
        ),
        el(
            "div",
            await _render_state(visit),
            id="state",
            hx_get=visit.link_to("/console/operations/state"),
            hx_trigger=f"every {EVERY_S}s",
        ),
    )


@page.get("state")
async def state(visit: Visit) -> Html:
    """What the page shows now."""
    return await _render_state(visit)


async def _render_state(visit: Visit) -> Html:
    values = await asyncio.to_thread(_read, visit.parts.telemetry.metrics)
    settings, seen = visit.parts.settings, await look_at(visit.parts.traffic.board)
    figures: list[tuple[str, float | str, str]] = [
        ("in flight", _sum(values, "requests_in_flight"), f"of {settings.max_in_flight:,} a worker"),
        ("queued", _sum(values, "requests_queued"), f"of {settings.max_queued:,} a worker"),
        ("rejected", _sum(values, "admission_rejected_total"), "by admission control"),
        ("jobs waiting", _sum(values, "jobs_waiting"), f"{_sum(values, 'job_samples_waiting'):,.0f} samples"),
        ("samples of jobs done", _sum(values, "job_samples_scored_total"), "since the start"),
        ("score cache", _share_of_hits(values), "of lookups are hits"),
    ]
    return join(
        el("dl", (_render_figure(name, figure, more) for name, figure, more in figures), class_="figures"),
        render_processes(seen),
        render_refusals(seen, ROWS),
        _render_sums(values, "Rejections", "admission_rejected_total", "reason"),
        _render_sums(values, "Requests that were refused or failed", "requests_total", "status", is_failure),
        _render_list(values, "Circuit breakers and stores", lambda name: "breaker" in name or name == "stores_away"),
        _render_list(values, "Upstreams and replicas", lambda name: "upstream" in name or "replica" in name),
        _render_sums(values, "Calls of models in flight", "model_calls_in_flight", "model"),
        _render_sums(values, "Worker processes at work", "worker_processes_busy", "pool"),
    )


def is_failure(status: str) -> bool:
    """Whether a status, of HTTP or gRPC, stands for a request that was not answered as asked."""
    return status.startswith(_FAILED)


def _read(metrics: Metrics) -> Values:
    """The metrics as a scrape has them, by their names without the prefix."""
    found: defaultdict[str, list[Sample]] = defaultdict(list)
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            found[sample.name.removeprefix(PREFIX)].append(sample)
    return found


def _sum(values: Values, name: str) -> float:
    return sum(sample.value for sample in values.get(name, ()))


def _share_of_hits(values: Values) -> str:
    lookups = values.get("cache_lookups_total", ())
    hits = sum(sample.value for sample in lookups if sample.labels.get("result") == "hit")
    total = hits + sum(sample.value for sample in lookups if sample.labels.get("result") == "miss")
    return f"{hits / total:.1%}" if total else "–"


def _render_figure(name: str, figure: float | str, more: str) -> Html:
    shown = figure if isinstance(figure, str) else f"{figure:,.0f}"
    return el("div", el("dt", name), el("dd", el("strong", shown), el("small", more)), class_="figure")


def _render_sums(
    values: Values, title: str, name: str, label: str, wanted: Callable[[str], bool] = bool
) -> Html | None:
    """The sums of a metric by one of its labels, the largest first; None if all are 0."""
    sums: defaultdict[str, float] = defaultdict(float)
    for sample in values.get(name, ()):
        if wanted(sample.labels.get(label, "")):
            sums[sample.labels[label]] += sample.value
    rows = sorted(((count, key) for key, count in sums.items() if count), reverse=True)[:ROWS]
    return _render_section(title, (label, "count"), [(el("code", key), f"{count:,.0f}") for count, key in rows])


def _render_list(values: Values, title: str, wanted: Callable[[str], bool]) -> Html | None:
    """Every value of some metrics, by what it is about."""
    rows: list[tuple[Content, ...]] = [
        (name.replace("_", " "), ", ".join(sample.labels.values()) or "–", f"{sample.value:,.4g}")
        for name, samples in sorted(values.items())
        if wanted(name) and not name.endswith(("_bucket", "_sum", "_count", "_created"))
        for sample in samples
    ]
    return _render_section(title, ("what", "of", "value"), rows[:ROWS])


def _render_section(title: str, columns: tuple[str, ...], rows: Iterable[tuple[Content, ...]]) -> Html | None:
    shown = list(rows)
    return el("section", el("h2", title), render_table(columns, *shown), aria_label=title) if shown else None
