"""Try: responses side by side, by one recipe or two, each reward with the steps that lead to it."""

import json
from collections.abc import Sequence
from typing import Any

import yaml

from reward_gateway.errors import GatewayError, RequestError
from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.pages.recipe_page import build_sample
from reward_gateway.recipes.plan import Plan

from ..page import Page, Visit
from ..request_code import format_curl, format_python
from ..trial import RESPONSES, Outcome, Trial, read_trial, run_trial
from ..waterfall import find_scale, format_number, render_components, render_waterfall
from ..widgets import render_badge, render_code, render_empty, render_note

page = Page("try", "Try", order=1, scripts=("try.js",))

OTHER_RESPONSE = "I am not sure."
"""What the example of a recipe is compared with."""

_PLAIN = ("prompt", "response", "reference", "images", "frames")


@page.show
async def show(visit: Visit) -> Html:
    """The form, filled in with the example of a recipe."""
    plan = _find_plan(visit)
    names = [each.name for each in visit.parts.gateway.book]
    return join(
        el("h1", "Try"),
        el("p", "Score a few responses, and see how each reward comes about. Trials change no state.", class_="lead"),
        el(
            "div",
            el(
                "form",
                el(
                    "div",
                    _render_choice("recipe", "Recipe", names, plan.name, visit.link_to("/console/try/reads")),
                    _render_choice("other", "Beside it", ["", *names], ""),
                    class_="pair",
                ),
                el("p", _describe_reads(plan), id="reads", class_="note"),
                el("div", _render_sample(plan), id="sample"),
                el(
                    "p",
                    el("button", "Score", type="submit", id="score", class_="primary"),
                    el(
                        "button",
                        "Fill in the recipe's example",
                        type="button",
                        hx_get=visit.link_to("/console/try/sample"),
                        hx_include="[name=recipe]",
                        hx_target="#sample",
                    ),
                    el("span", "Scoring …", class_="htmx-indicator", role="status"),
                    class_="actions",
                ),
                id="trial",
                hx_post=visit.link_to("/console/try/score"),
                hx_encoding="multipart/form-data",
                hx_target="#answer",
                hx_disabled_elt="#score",
                autocomplete="off",
            ),
            el(
                "section",
                render_empty("No answer yet", "Press Score, or Ctrl + Enter in a text."),
                id="answer",
                aria_live="polite",
                aria_label="Answer",
            ),
            class_="try",
        ),
    )


@page.get("sample")
async def sample(visit: Visit) -> Html:
    """The fields with the example of a recipe."""
    return _render_sample(_find_plan(visit))


@page.get("reads")
async def reads(visit: Visit) -> Html:
    """What a recipe reads of a sample."""
    return _describe_reads(_find_plan(visit))


@page.post("score")
async def score(visit: Visit) -> Html:
    """The answer to the form."""
    try:
        trial = await read_trial(await visit.form())
    except RequestError as error:
        return render_note(error.message, kind="error")
    outcomes = await run_trial(visit, trial)
    scored = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
    shown = [
        _render_outcome(trial, outcome, scored[0] if i and len(scored) == 2 else None)
        if isinstance(outcome, Outcome)
        else _render_failure(trial.recipes[i], outcome)
        for i, outcome in enumerate(outcomes)
    ]
    return join(*shown, _render_code(visit, trial, scored))


def _find_plan(visit: Visit) -> Plan:
    book = visit.parts.gateway.book
    plan = book.find(visit.request.query_params.get("recipe", book.default))
    return plan if plan is not None else book.choose()


# The form


def _describe_reads(plan: Plan) -> Html:
    return join("Reads ", el("code", ", ".join(plan.inputs) or "nothing"), ". ", plan.description)


def _render_choice(name: str, label: str, options: Sequence[str], chosen: str, tells: str | None = None) -> Html:
    """A choice; ``tells``: what says more of what is chosen."""
    return el(
        "div",
        el("label", label, for_=name),
        el(
            "select",
            (el("option", option or "none", value=option, selected=option == chosen) for option in options),
            id=name,
            name=name,
            hx_get=tells,
            hx_target="#reads" if tells else None,
        ),
    )


def _render_sample(plan: Plan) -> Html:
    """The fields of a sample, with the recipe's example."""
    example = build_sample(plan)
    prompt = example.get("prompt", "")
    response = example.get("response", "")
    is_messages = isinstance(prompt, list) or isinstance(response, list)
    more = {name: value for name, value in example.items() if name not in _PLAIN}
    return join(
        el(
            "div",
            el("label", "Prompt", for_="prompt"),
            el(
                "span",
                (
                    el(
                        "label",
                        el(
                            "input",
                            type="radio",
                            name="prompt_is",
                            value=kind,
                            checked=(kind == "messages") == is_messages,
                        ),
                        f" {kind}",
                        class_="choice",
                    )
                    for kind in ("text", "messages")
                ),
                class_="choices",
                role="radiogroup",
                aria_label="The prompt is",
            ),
            class_="labelled",
        ),
        el("textarea", _write(prompt), id="prompt", name="prompt", rows=3),
        el(
            "div",
            (_render_response(i, text) for i, text in enumerate(_list_responses(plan, response))),
            id="responses",
        ),
        el("button", "Add a response", type="button", id="add-response", class_="quiet"),
        el("label", "Reference", for_="reference"),
        el("textarea", _write(example.get("reference", "")), id="reference", name="reference", rows=2),
        el(
            "details",
            el("summary", "Images, frames and more fields"),
            _render_files("images", "Images", "images" in plan.inputs),
            _render_files("frames", "Frames of a video", "frames" in plan.inputs),
            el("label", "More fields, as a JSON object", for_="more"),
            el(
                "textarea",
                json.dumps(more, ensure_ascii=False, indent=1) if more else "",
                id="more",
                name="more",
                rows=4,
                placeholder='{"metadata": {…}, "features": {…}}',
                spellcheck="false",
            ),
            open=bool(more) or not {"images", "frames"}.isdisjoint(plan.inputs),
        ),
    )


def _list_responses(plan: Plan, response: Any) -> list[str | None]:
    """The texts of all places for a response: the example's, and another where a recipe compares; None is hidden."""
    texts: list[str | None] = [_write(response)]
    if plan.grouped:
        texts.append(OTHER_RESPONSE)
    return texts + [None] * (RESPONSES - len(texts))


def _render_response(i: int, text: str | None) -> Html:
    return el(
        "div",
        el(
            "div",
            el("label", f"Response {i + 1}", for_=f"response-{i + 1}"),
            el("button", "Remove", type="button", class_="quiet remove", aria_label=f"Remove response {i + 1}")
            if i
            else None,
            class_="labelled",
        ),
        el("textarea", text or "", id=f"response-{i + 1}", name="response", rows=4),
        class_="response",
        hidden=text is None,
    )


def _render_files(name: str, label: str, is_read: bool) -> Html:
    return el(
        "div",
        el("label", label, " (the recipe reads them)" if is_read else None, for_=name),
        el("input", type="file", id=name, name=name, multiple=True, accept="image/*"),
        class_="drop",
    )


def _write(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# The answer


def _render_failure(recipe: str, error: GatewayError) -> Html:
    param = join(" Field: ", el("code", error.param), ".") if error.param else None
    return el("section", el("h2", recipe), render_note(error.message, param, kind="error"))


def _render_outcome(trial: Trial, outcome: Outcome, beside: Outcome | None) -> Html:
    scored, usage, scale = outcome.scored, outcome.scored.usage, find_scale(outcome)
    facts = [
        f"{scored.timing_ms.get('total', 0.0):.1f} ms",
        f"{usage.cache_hits} of {usage.cache_hits + usage.cache_misses} scores from the cache",
        f"version {scored.version}",
    ]
    cards = (_render_card(trial, outcome, row, scale, beside) for row in range(len(trial.samples)))
    return el(
        "section",
        el("h2", outcome.plan.name),
        el("ul", (el("li", fact) for fact in facts), class_="facts"),
        el("div", *cards, class_="cards"),
        _render_groups(outcome),
    )


def _render_card(trial: Trial, outcome: Outcome, row: int, scale: tuple[float, float], beside: Outcome | None) -> Html:
    scored = outcome.scored
    reason = scored.invalid.get(row)
    flags = [(render_badge(flag, "warn"), " ") for flag in scored.flags.get(row, ())]
    content: list[Content]
    if reason is not None:
        where = f" ({reason.component})" if reason.component else ""
        content = [
            el("p", render_badge("no reward", "bad"), class_="reward"),
            render_note(reason.message, where, kind="error"),
        ]
    else:
        value = float(scored.reward[row])
        content = [el("p", el("strong", format_number(value)), _compare(value, beside, row), class_="reward")]
        vector = None if scored.rewards is None else scored.rewards[row]
        if vector is not None:
            numbers = ", ".join(format_number(float(number)) for number in list(vector)[:32])
            content.append(el("p", "by part: ", numbers, class_="note"))
        content.append(render_waterfall(outcome, row, *scale))
    return el(
        "article",
        el("h3", f"Response {row + 1}"),
        el("p", _write(trial.samples[row]["response"])[:160] or "(empty)", class_="excerpt"),
        *content,
        el("p", *flags) if flags else None,
        el("details", el("summary", "Components"), render_components(outcome, row)) if scored.components else None,
    )


def _compare(value: float, beside: Outcome | None, row: int) -> Html | None:
    if beside is None or row in beside.scored.invalid:
        return None
    return el(
        "small", f"{format_number(value - float(beside.scored.reward[row]), sign=True)} beside {beside.plan.name}"
    )


def _render_groups(outcome: Outcome) -> Html | None:
    groups = outcome.scored.groups
    if not groups or len(outcome.scored.reward) < 2:
        return None
    stats = next(iter(groups.values()))
    said = f"Group of {stats.n}: mean {format_number(stats.mean)}, std {format_number(stats.std)} before that."
    equal = " All rewards are equal: they carry no signal." if stats.all_equal else ""
    return el("p", said, equal, class_="note")


def _render_code(visit: Visit, trial: Trial, scored: Sequence[Outcome]) -> Html:
    recipe = trial.recipes[0]
    blocks = [
        ("curl", format_curl(visit, "/v1/score", trial.body(recipe))),
        ("Python", format_python(visit, recipe, trial.shown)),
    ]
    if scored:
        source = {outcome.plan.name: dict(outcome.plan.source) for outcome in scored}
        blocks.append(("YAML", yaml.safe_dump(source, sort_keys=False, allow_unicode=True, width=100)))
    return el(
        "section",
        el("h2", "The same elsewhere"),
        (el("details", el("summary", f"as {name}"), render_code(text, name), name="same") for name, text in blocks),
    )
