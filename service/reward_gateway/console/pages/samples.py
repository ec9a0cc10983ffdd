"""Samples: what was rewarded, read one by one, marked by hand, and exported as preference pairs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast, get_args
from urllib.parse import urlencode

import orjson
from starlette.responses import Response, StreamingResponse

from reward_gateway.errors import InvalidRequest, NotSetUp
from reward_gateway.kept_samples.keeper import Filters, SampleKeeper, SamplePage, Sort
from reward_gateway.kept_samples.kinds import KINDS, MARKS
from reward_gateway.lab.words import number
from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.pages.layout import render_table
from reward_gateway.sample import turns_text

from ..page import Page, Visit
from ..widgets import render_badge, render_code, render_empty, render_note

page = Page("samples", "Samples", order=4, right="admin", scripts=("samples.js",), styles=("samples.css",))

PER_PAGE = 25

NO_RUN = "no run"

SHORT = 600
"""Characters of a text that are shown at once; the rest is a click away."""

_KINDS = {
    "reservoir": "by chance",
    "top": "highest rewards",
    "bottom": "lowest rewards",
    "flagged": "flagged",
    "invalid": "without a reward",
    "spread": "groups that differ most",
    "disagreement": "components that disagree",
}
_SORTS = {
    "newest": "newest",
    "highest": "highest reward",
    "lowest": "lowest reward",
    "spread": "largest spread in the group",
    "disagreement": "largest disagreement",
}
_MARKS = {"unmarked": "not marked", "good": "good", "bad": "bad", "hack": "hack"}
_LOOKS = {"good": "good", "bad": "bad", "hack": "warn"}


@page.show
async def show(visit: Visit) -> Html:
    """Filters, and the samples that they admit."""
    heading = join(
        el("h1", "Samples"), el("p", "What was scored, kept to be looked at: a choice by chance, and the extremes.")
    )
    keeper = visit.parts.samples
    if keeper is None:
        return join(heading, _render_off())
    given = visit.request.query_params
    found = await keeper.list_page(_filters_of(given), _sort_of(given), given.get("cursor"), PER_PAGE)
    return join(
        heading,
        None if keeper.store.shared else render_note("There is no store of state: this is what one worker scored."),
        _render_filters(visit),
        _render_found(visit, found) if found.samples else _render_nothing(visit),
    )


@page.post("mark")
async def mark(visit: Visit) -> Html:
    """Mark a sample, or take away the mark that it has."""
    keeper, form = _keeper_of(visit), await visit.form()
    id, mark = str(form.get("id", "")), str(form.get("mark", ""))
    await keeper.mark(id, mark or None)
    return _render_sample(visit, await keeper.read(id))


@page.post("delete")
async def delete(visit: Visit) -> Html:
    """Delete a sample; nothing stands in its place."""
    keeper, form = _keeper_of(visit), await visit.form()
    await keeper.delete(Filters(), str(form.get("id", "")))
    return Html("")


@page.get("pairs")
async def export_pairs(visit: Visit) -> Response:
    """Preference pairs of what the filters admit, as a file."""
    given = visit.request.query_params
    try:
        margin = float(given.get("min_margin") or "0")
    except ValueError:
        margin = -1.0
    if not 0 <= margin < float("inf"):
        raise InvalidRequest("the margin is a number of at least 0", param="min_margin")
    lines = await _keeper_of(visit).find_pairs(_filters_of(given), margin)
    headers = {"content-disposition": 'attachment; filename="pairs.jsonl"', "cache-control": "no-store"}
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


def _keeper_of(visit: Visit) -> SampleKeeper:
    if visit.parts.samples is None:
        raise NotSetUp("no samples are kept; start the gateway with --keep-samples 10000 to keep some")
    return visit.parts.samples


def _filters_of(given: Mapping[str, str]) -> Filters:
    """What the form says; what it leaves empty is any. ``no run`` is that of requests without one."""
    kind, marked = given.get("kind") or None, given.get("mark") or None
    if kind not in (None, *KINDS) or marked not in (None, "unmarked", *MARKS):
        raise InvalidRequest("there are no such samples", param="kind")
    flags = tuple(flag.strip() for flag in given.get("flags", "").split(",") if flag.strip())
    run = given.get("run") or None
    run = "" if run == NO_RUN else run  # no run has a name with a space
    return Filters(None, run, given.get("recipe") or None, kind, flags, marked)


def _sort_of(given: Mapping[str, str]) -> Sort:
    sort = given.get("sort") or "newest"
    if sort not in get_args(Sort):
        raise InvalidRequest("there is no such order", param="sort")
    return cast("Sort", sort)


def _render_off() -> Html:
    return join(
        render_empty(
            "No samples are kept",
            "Nothing of what is scored is stored, until the gateway is started with ",
            el("code", "--keep-samples 10000"),
            ". Then prompts, responses and references of that many samples are kept for a day, in 64 MiB at most.",
        ),
        render_code("reward-gateway serve --keep-samples 10000", "command"),
    )


def _render_nothing(visit: Visit) -> Html:
    if visit.request.query_params:
        back = el("a", "Show all samples", href=visit.link_to(page.path))
        return render_empty("No sample is like that", back, ".")
    return render_empty("Nothing was kept yet", "Score something, and look again: samples appear within a second.")


def _render_filters(visit: Visit) -> Html:
    given = visit.request.query_params
    recipes = {plan.name: plan.name for plan in visit.parts.gateway.book}
    chosen = given.get("recipe") or ""
    if chosen:
        recipes.setdefault(chosen, chosen)
    return el(
        "form",
        _render_choice("recipe", "Recipe", "any recipe", recipes, chosen),
        _render_choice("kind", "Kept as", "any", _KINDS, given.get("kind") or ""),
        _render_choice("mark", "Mark", "any or none", _MARKS, given.get("mark") or ""),
        _render_field("run", "Run", given.get("run", ""), f"any, or: {NO_RUN}"),
        _render_field("flags", "Flags", given.get("flags", ""), "any"),
        _render_choice("sort", "First", None, _SORTS, given.get("sort") or "newest"),
        el("button", "Show", type="submit", class_="primary"),
        method="get",
        action=visit.link_to(page.path),
        class_="filters",
        aria_label="Filters",
    )


def _render_choice(name: str, label: str, empty: str | None, choices: Mapping[str, str], chosen: str) -> Html:
    options = [*([("", empty)] if empty is not None else []), *choices.items()]
    return el(
        "label",
        el("span", label),
        el(
            "select",
            (el("option", text, value=value, selected=value == chosen) for value, text in options),
            name=name,
        ),
    )


def _render_field(name: str, label: str, value: str, placeholder: str) -> Html:
    return el("label", el("span", label), el("input", name=name, value=value, placeholder=placeholder))


def _render_found(visit: Visit, found: SamplePage) -> Html:
    given = {name: value for name, value in visit.request.query_params.items() if value and name != "cursor"}
    more = None
    if found.cursor is not None:
        query = urlencode({**given, "cursor": found.cursor})
        more = el("p", el("a", "More samples", href=f"{visit.link_to(page.path)}?{query}", rel="next"))
    keys = (("j", "next"), ("k", "previous"), ("g", "good"), ("b", "bad"), ("h", "hack"), ("u", "no mark"))
    return join(
        el(
            "div",
            el("p", f"{found.total:,} {'sample' if found.total == 1 else 'samples'}", class_="count"),
            el("p", ([el("kbd", key), f" {text} "] for key, text in keys), class_="keys"),
            _render_export(visit, given),
            class_="bar",
        ),
        el("p", "", id="marked", role="status", class_="hidden"),
        el("div", (_render_sample(visit, sample) for sample in found.samples), id="samples"),
        more,
    )


def _render_export(visit: Visit, given: Mapping[str, str]) -> Html:
    return el(
        "form",
        (el("input", type="hidden", name=name, value=value) for name, value in given.items() if name != "sort"),
        el("label", el("span", "Least margin"), el("input", name="min_margin", inputmode="decimal", value="0")),
        el("button", "Export pairs", type="submit"),
        method="get",
        action=visit.link_to(f"{page.path}/pairs"),
        class_="export",
        aria_label="Export as preference pairs",
    )


def _render_sample(visit: Visit, sample: Mapping[str, Any]) -> Html:
    reward = sample["reward"] if sample["reward_raw"] is None else sample["reward_raw"]
    scored = datetime.fromtimestamp(sample["t"], UTC)
    facts = [sample["recipe"], sample["run"] or NO_RUN]
    if sample["step"] is not None:
        facts.append(f"step {sample['step']}")
    return el(
        "article",
        el(
            "header",
            el("h2", "no reward" if reward is None else number(reward), class_="reward"),
            el("p", " · ".join(facts), " · ", el("time", f"{scored:%H:%M:%S} UTC", datetime=f"{scored:%FT%TZ}")),
            el("p", _render_badges(sample), class_="badges"),
        ),
        _render_text("Prompt", sample["prompt"]),
        _render_text("Response", sample["response"]),
        _render_details(sample),
        _render_actions(visit, sample),
        id=f"sample-{sample['id']}",
        data_id=sample["id"],
        tabindex="0",
        aria_label=f"Sample, {'no reward' if reward is None else f'reward {number(reward)}'}, "
        f"{sample['mark'] or 'not marked'}",
    )


def _render_badges(sample: Mapping[str, Any]) -> list[Content]:
    shown: list[Html] = []
    if sample["mark"]:
        shown.append(render_badge(sample["mark"], _LOOKS[sample["mark"]]))
    if sample["invalid"]:
        shown.append(render_badge(sample["invalid"]["code"].replace("_", " "), "bad"))
    shown += [render_badge(flag, "warn") for flag in sample["flags"]]
    shown += [render_badge(_KINDS[kind]) for kind in sample["kinds"] if kind != "invalid"]
    return [[badge, " "] for badge in shown]


def _render_text(label: str, text: Any) -> Html:
    shown = "" if text is None else turns_text(text)
    if not shown:
        shown_as: Html = el("p", "missing" if text is None else "empty", class_="none")
    elif len(shown) > SHORT:
        rest = el("details", el("summary", f"the whole text, {len(shown):,} characters"), el("p", shown, class_="text"))
        shown_as = join(el("p", f"{shown[:SHORT]}…", class_="text"), rest)
    else:
        shown_as = el("p", shown, class_="text")
    return el("div", el("h3", label), shown_as, class_=f"part {label.lower()}")


def _render_details(sample: Mapping[str, Any]) -> Html:
    rows = [
        (
            el("code", name),
            _format(part["raw"]),
            _format(part["value"]),
            f"{part['model'] or 'rule'} {part['model_version'] or ''}",
        )
        for name, part in sample["components"].items()
    ]
    facts: list[tuple[str, Content]] = []
    if sample["reward_raw"] is not None:
        facts.append(("Advantage in the group", _format(sample["reward"])))
    for name, label in (("spread", "Spread of the group"), ("disagreement", "Disagreement of components")):
        if sample[name] is not None:
            facts.append((label, _format(sample[name])))
    if sample["reference"] is not None:
        facts.append(("Reference", el("span", _plain(sample["reference"]), class_="text")))
    if sample["rubric"]:
        criteria = (el("li", f"{each['text']} (weight {each.get('weight', 1)})") for each in sample["rubric"])
        facts.append(("Rubric", el("ul", criteria)))
    images: Sequence[Mapping[str, Any]] = [*sample["images"], *sample["frames"]]
    facts += [("Image", f"{each['size'] or '?'} bytes, SHA-256 {each['sha256'] or 'not known'}") for each in images]
    facts += [("Caller", sample["caller"]), ("Version of the recipe", el("code", sample["recipe_version"]))]
    return el(
        "details",
        el("summary", "Components and reference"),
        render_table(("component", "raw", "value", "model"), *rows) if rows else None,
        el("dl", ([el("dt", label), el("dd", value)] for label, value in facts), class_="meanings"),
    )


def _render_actions(visit: Visit, sample: Mapping[str, Any]) -> Html:
    return el(
        "div",
        (
            el(
                "button",
                mark,
                type="button",
                class_=f"mark {mark}",
                aria_pressed="true" if sample["mark"] == mark else "false",
                data_mark=mark,
                hx_post=visit.link_to(f"{page.path}/mark"),
                hx_vals=orjson.dumps({"id": sample["id"], "mark": "" if sample["mark"] == mark else mark}).decode(),
                hx_target="closest article",
                hx_swap="outerHTML",
            )
            for mark in MARKS
        ),
        el(
            "button",
            "Delete",
            type="button",
            class_="quiet",
            hx_post=visit.link_to(f"{page.path}/delete"),
            hx_vals=orjson.dumps({"id": sample["id"]}).decode(),
            hx_confirm="Delete this sample?",
            hx_target="closest article",
            hx_swap="outerHTML",
        ),
        class_="actions",
        role="group",
        aria_label="Mark",
    )


def _format(value: float | None) -> str:
    return "–" if value is None else number(value)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
