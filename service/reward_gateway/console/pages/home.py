"""Home: whether rewards can be had, from what, how much was asked for, and how to ask for one."""

from collections.abc import Callable, Mapping, Sequence

from reward_gateway.backends.port import ModelInfo
from reward_gateway.counted import count_of
from reward_gateway.errors import ModelUnavailable
from reward_gateway.pages.html import Html, el, join
from reward_gateway.pages.layout import render_table
from reward_gateway.pages.recipe_page import build_sample

from ..activity import Totals
from ..health import describe_device
from ..page import Page, Visit
from ..processes_view import look_at, render_pods
from ..request_code import format_curl
from ..search import MOST, Finding, find
from ..widgets import draw_sparkline, render_badge, render_code, render_empty, render_figure, render_note

page = Page("home", "Home", order=0, path="/")

RECENT_S = 300.0
"""Seconds over which the figures beside the sparklines are taken."""


_STORE_FAULTS = {"away": "cannot be reached", "lost": "has lost what it kept"}


@page.show
async def show(visit: Visit) -> Html:
    """The whole page."""
    gateway = visit.parts.gateway
    default = gateway.book.choose()
    request = format_curl(visit, "/v1/score", {"reward": default.name, "samples": [build_sample(default)]})
    return join(
        el("h1", "Home", class_="hidden"),
        _render_search(visit),
        el(
            "div",
            await status(visit),
            id="status",
            hx_get=visit.link_to("/console/home/status"),
            hx_trigger="every 15s",
        ),
        await _render_missing(visit),
        await _render_models(visit),
        el("h2", "Ask for a reward"),
        render_code(request, "request"),
        el("p", "Or ", el("a", "try a few responses here", href=visit.link_to("/console/try")), ".", class_="note"),
    )


@page.get("status")
async def status(visit: Visit) -> Html:
    """What the page asks for again: whether rewards can be had, and the figures."""
    board = visit.parts.traffic.board
    pods = render_pods((await look_at(board)).processes) if board.shared else None
    return join(await _render_readiness(visit), pods, _render_figures(visit))


@page.get("search")
async def search(visit: Visit) -> Html:
    """What matches the words, as a list."""
    words = visit.request.query_params.get("q", "")[:200]
    if not words.strip():
        return Html("")
    found = find(words, visit.parts.gateway.book, await _list_models(visit) or ())
    if not found:
        return render_note(f"Nothing is called that: {words}")
    more = len(found) - MOST
    return join(
        el(
            "ul",
            (
                el(
                    "li",
                    render_badge(each.kind),
                    " ",
                    _render_name(visit, each),
                    el("span", each.text, class_="about"),
                )
                for each in found[:MOST]
            ),
            class_="findings",
        ),
        el("p", f"and {more} more: write another word", class_="note") if more > 0 else None,
    )


def _render_name(visit: Visit, found: Finding) -> Html:
    """A link to its page, where the visitor may see it: that of models is for admins."""
    if found.kind == "model" and not visit.has_right("admin"):
        return el("strong", found.name)
    return el("a", found.name, href=visit.link_to(found.path))


def _render_search(visit: Visit) -> Html:
    return el(
        "search",
        el("label", "Search operations, recipes and models", for_="q", class_="hidden"),
        el(
            "input",
            type="search",
            id="q",
            name="q",
            placeholder="Search operations, recipes and models",
            autocomplete="off",
            hx_get=visit.link_to("/console/home/search"),
            hx_trigger="input changed delay:200ms, search",
            hx_target="#found",
        ),
        el("div", id="found", aria_live="polite"),
    )


async def _render_readiness(visit: Visit) -> Html:
    parts = visit.parts
    readiness = await parts.gateway.check_readiness()
    default, missing, away = readiness.default, readiness.missing, _list_away(visit)
    if parts.traffic.drain.leaving:
        state, kind, text = "Shutting down", "bad", "Requests in flight are finished; new ones are sent elsewhere."
    elif not readiness.ready:
        state, kind, text = "Not ready", "bad", f"The default recipe {default} cannot answer: {missing[default]}."
    elif failing := readiness.failing:
        count = f"{len(failing)} of {len(parts.gateway.book.plans)}"
        state, kind, text = "Degraded", "warn", f"The default recipe {default} answers; {count} recipes cannot."
    elif away:
        state, kind, text = "Degraded", "warn", f"The default recipe {default} answers, with less than it should have."
    else:
        all_of_them = len(parts.gateway.book.plans)
        count = f"{all_of_them - len(missing)} of {all_of_them}" if missing else f"All {all_of_them}"
        state, kind, text = "Ready", "good", f"{count} recipes answer; {default} is the default."
    return el(
        "section",
        el("p", render_badge(state, kind), " ", text, class_="lead"),
        (render_note(sentence, kind="warning") for sentence in away),
        aria_label="Readiness",
    )


def _list_away(visit: Visit) -> list[str]:
    """What the gateway uses and cannot reach now, a sentence each."""
    stores = visit.parts.stores.describe().items()
    judges = visit.parts.gateway.runtime.judges
    return [
        *(f"The store of {name} {_STORE_FAULTS[fault]}." for name, fault in stores if fault in _STORE_FAULTS),
        *(
            f"The judge {name} has failed repeatedly; its samples fail until it answers again."
            for name in (judges.away if judges is not None else ())
        ),
    ]


async def _render_missing(visit: Visit) -> Html | None:
    """The recipes that cannot answer, and why."""
    readiness = await visit.parts.gateway.check_readiness()
    failing = readiness.failing
    waiting = {name: reason for name, reason in readiness.missing.items() if name not in failing}
    return join(
        _render_reasons(failing, "cannot answer", "why it cannot answer", opened=len(failing) <= 4),
        _render_reasons(waiting, "not set up: a judge or a model is missing", "what it needs", opened=False),
    )


def _render_reasons(reasons: Mapping[str, str], state: str, heading: str, *, opened: bool) -> Html | None:
    if not reasons:
        return None
    rows = [(el("code", name), reason) for name, reason in sorted(reasons.items())]
    count = count_of(len(rows), "recipe")
    return el("details", el("summary", f"{count} {state}"), render_table(("recipe", heading), *rows), open=opened)


def _render_figures(visit: Visit) -> Html:
    activity = visit.parts.activity
    steps = activity.steps
    if not steps:
        return render_empty("No figures yet", "They begin half a minute after the start.")
    recent = _sum_recent(steps)
    whose = "all workers of this machine" if activity.is_of_all_workers else "this process"

    def per_second(read: Callable[[Totals], float]) -> list[float | None]:
        return [read(step) / step.at if step.at > 0 else None for step in steps]

    hit_share = recent.hit_share
    figures = (
        ("Requests", _rate(recent.requests, recent), per_second(lambda step: step.requests), "per second"),
        ("Samples", _rate(recent.samples, recent), per_second(lambda step: step.samples), "per second"),
        (
            "Cache hits",
            "–" if hit_share is None else f"{hit_share:.0%}",
            [step.hit_share for step in steps],
            "of the scores looked up",
        ),
        ("Errors", f"{recent.errors:,.0f}", per_second(lambda step: step.errors), "answers of 500 and above"),
    )
    minutes = max(1, round(sum(step.at for step in steps) / 60))
    return el(
        "section",
        el(
            "dl",
            (
                render_figure(
                    label, value, draw_sparkline(values, f"{label} over {_count_minutes(minutes)}"), note=note
                )
                for label, value, values, note in figures
            ),
            class_="figures",
        ),
        el(
            "p",
            f"Of {whose}. Numbers: the last {_count_minutes(min(5, minutes))}. ",
            f"Lines: the last {_count_minutes(minutes)}.",
            class_="note",
        ),
        aria_label="Figures",
    )


def _count_minutes(minutes: int) -> str:
    return "minute" if minutes == 1 else f"{minutes} minutes"


def _sum_recent(steps: Sequence[Totals]) -> Totals:
    """The latest steps, together about five minutes."""
    total = Totals(0.0)
    for step in reversed(steps):
        if total.at >= RECENT_S:
            break
        total = Totals(*(a + b for a, b in zip(total, step, strict=True)))
    return total


def _rate(count: float, over: Totals) -> str:
    rate = count / over.at if over.at else 0.0
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2f}"


async def _list_models(visit: Visit) -> list[ModelInfo] | None:
    """The models that are to be served; None: no model server answers."""
    try:
        return [model for model in await visit.parts.gateway.list_models() if model.wanted]
    except ModelUnavailable:
        return None


async def _render_models(visit: Visit) -> Html:
    models = await _list_models(visit)
    if models is None:
        shown: Html = render_note("No model server answers. Recipes of rules alone go on.", kind="warning")
    elif not models:
        shown = render_empty(
            "No models", "Recipes of rules need none. To serve one: ", el("code", "reward-gateway models add"), "."
        )
    else:
        rows = [
            (
                el("code", model.name),
                el("span", model.version or "–", class_="version"),
                describe_device(model.device),
                _describe_state(model),
            )
            for model in sorted(models, key=lambda model: model.name)
        ]
        shown = render_table(("model", "version", "device", "state"), *rows)
    return el("section", el("h2", "Models"), shown)


def _describe_state(model: ModelInfo) -> Html:
    if model.ready:
        return render_badge("ready", "good")
    return join(render_badge("away", "bad"), f" {model.fault}" if model.fault else None)
