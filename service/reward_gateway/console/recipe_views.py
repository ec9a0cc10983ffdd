"""What the page of recipes shows: the list, a recipe's picture, faults at their lines, two recipes side by side."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from reward_gateway.counted import count_of
from reward_gateway.errors import GatewayError
from reward_gateway.pages.flow import draw_flow
from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.pages.prose import phrase
from reward_gateway.pages.recipe_page import render_components, render_facts, render_guards
from reward_gateway.pages.site import Place, reward_path
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import Scored
from reward_gateway.scoring.readiness import Lack

from .draft import Checked, Fault
from .old_and_new import OldAndNew, Side
from .page import Visit
from .waterfall import format_number
from .widgets import render_badge, render_empty, render_note

# The list


def render_rows(visit: Visit, plans: Iterable[Plan], lacks: Mapping[str, Lack], wanted: str) -> Html:
    """The recipes in which each wanted word occurs."""
    words = wanted.casefold().split()
    rows = [
        _render_row(visit, plan, lacks.get(plan.name))
        for plan in plans
        if all(word in _describe(plan).casefold() for word in words)
    ]
    if not rows:
        return render_empty("No recipe has these words", "Names, descriptions, components and models are searched.")
    columns = ("recipe", "state", "components", "models", "traits", "version")
    head = el("tr", (el("th", column, scope="col") for column in columns))
    table = el("table", el("thead", head), el("tbody", *rows), class_="recipes")
    return el("div", table, class_="wide", tabindex="0", role="region", aria_label="Recipes")


def _describe(plan: Plan) -> str:
    parts = [word for part in plan.parts for word in (part.name, part.step.operation.name if part.step else "")]
    return " ".join([plan.name, plan.description, *parts, *plan.models, *_traits(plan)])


def _traits(plan: Plan) -> list[str]:
    traits = (("grouped", plan.grouped), ("stateful", plan.stateful), ("one reward per part", plan.credit is not None))
    return [name for name, holds in traits if holds]


def render_lack(name: str, lack: Lack) -> Html:
    """Why a recipe cannot answer."""
    if lack.not_set_up:
        return render_note(f"{name} is not set up: {lack.reason}")
    return render_note(f"{name} is not ready: {lack.reason}", kind="warning")


def _render_row(visit: Visit, plan: Plan, lack: Lack | None) -> Html:
    state = ("ready", "good") if lack is None else ("not set up", "") if lack.not_set_up else ("not ready", "bad")
    badges: list[Content] = [render_badge(*state)]
    if plan.name == visit.parts.gateway.book.default:
        badges += [" ", render_badge("default")]
    return el(
        "tr",
        el(
            "th",
            el("a", plan.name, href=link_to_recipe(visit, plan.name)),
            el("p", phrase(plan.description), class_="note"),
            scope="row",
        ),
        el("td", *badges, el("p", lack.reason, class_="note") if lack else None),
        el("td", ", ".join(component.name for component in plan.components)),
        el("td", [(el("code", model), " ") for model in plan.models] or "—"),
        el("td", ", ".join(_traits(plan)) or "—"),
        el("td", el("code", f"{plan.version[:11]}…", title=plan.version)),
    )


def link_to_recipe(visit: Visit, name: str) -> str:
    """The address of a recipe's own view."""
    return visit.link_to(f"/console/recipes?name={name}")


# One recipe


def render_picture(visit: Visit, plan: Plan) -> Html:
    """How a recipe computes its reward."""
    place = Place(reward_path(plan.name), root_path=visit.parts.settings.root_path)
    return join(
        el("ul", render_facts(plan, plan.name == visit.parts.gateway.book.default), class_="facts"),
        draw_flow(place, plan),
        render_components(place, plan),
        render_guards(plan),
        el("p", "Version: ", el("code", plan.version), class_="note"),
    )


def render_checked(checked: Checked) -> Html:
    """Every fault at its line, or that there is none."""
    warnings = el("ul", map(_render_fault, checked.warnings), class_="faults") if checked.warnings else None
    if checked.faults:
        count = len(checked.faults)
        said = el("p", render_badge(count_of(count, "fault"), "bad"))
        return join(said, el("ol", map(_render_fault, checked.faults), class_="faults"), warnings)
    return join(el("p", render_badge("no faults", "good")), warnings)


def _render_fault(fault: Fault) -> Html:
    place = f"line {fault.line}, column {fault.column}"
    return el(
        "li",
        el(
            "button",
            place,
            type="button",
            class_="place",
            data_line=fault.line,
            data_column=fault.column,
            title="Go there",
        ),
        " ",
        fault.message,
        el("p", el("code", fault.path), class_="note") if fault.path else None,
    )


# Old against new


def render_comparison(compared: OldAndNew) -> Html:
    """A row per sample: the reward of each recipe, their difference, and the components of both."""
    failures = [_render_failure(side) for side in (compared.old, compared.new) if side.scored is None]
    if len(failures) == 2:
        return join(*failures)
    rows = (_render_sample(compared, row) for row in range(len(compared.samples)))
    rewards = [(f"{word}: {side.plan.name}", "number") for word, side in (("old", compared.old), ("new", compared.new))]
    columns = [("sample", ""), *rewards, ("difference", "number"), ("components", "")]
    head = el("tr", (el("th", text, scope="col", class_=kind or None) for text, kind in columns))
    table = el("table", el("thead", head), el("tbody", *rows), class_="compared")
    return join(
        *failures,
        el("p", _summarize(compared), class_="lead"),
        el("div", table, class_="wide", tabindex="0", role="region", aria_label="Old against new"),
        el("p", "Nothing of this trial is kept: no state, no metrics.", class_="note"),
    )


def _render_failure(side: Side) -> Html:
    assert isinstance(side.answer, GatewayError), "the side has no answer"
    param = join(" Field: ", el("code", side.answer.param), ".") if side.answer.param else None
    return render_note(el("strong", side.plan.name), ": ", side.answer.message, param, kind="error")


def _summarize(compared: OldAndNew) -> str:
    report = compared.report()
    if not report:
        return "One of the two recipes did not answer."
    old, new = compared.old.scored, compared.new.scored
    assert old is not None and new is not None, "there is a report where both have answered"  # noqa: PT018
    changed = sum(
        _differ(float(old.reward[row]), float(new.reward[row])) and row not in old.invalid and row not in new.invalid
        for row in range(len(compared.samples))
    )
    said = [f"{changed} of {report['n']} rewards differ"]
    for word, scored in (("old", old), ("new", new)):
        if scored.invalid:
            said.append(f"{word}: {len(scored.invalid)} without a reward")
    if (agreement := report["pair_agreement"]) is not None:
        said.append(f"{agreement:.0%} of the pairs within a prompt keep their order")
    return "; ".join(said) + "."


def _differ(old: float, new: float) -> bool:
    return not math.isclose(old, new, rel_tol=1e-9, abs_tol=1e-12)


def _render_sample(compared: OldAndNew, row: int) -> Html:
    old, new = compared.old.scored, compared.new.scored
    values = [_value(side, row) for side in (old, new)]
    difference = values[1] - values[0]
    return el(
        "tr",
        el("th", f"{row + 1} ", el("span", _excerpt(compared.samples[row]), class_="excerpt"), scope="row"),
        *(_render_reward(side, row) for side in (old, new)),
        el("td", _render_number(difference, sign=True), class_="number"),
        el("td", _render_components(old, new, row)),
    )


def _value(scored: Scored | None, row: int) -> float:
    return math.nan if scored is None or row in scored.invalid else float(scored.reward[row])


def _render_reward(scored: Scored | None, row: int) -> Html:
    if scored is None:
        return el("td", "—", class_="number")
    if (reason := scored.invalid.get(row)) is not None:
        where = f" ({reason.component})" if reason.component else ""
        return el("td", render_badge("no reward", "bad"), el("p", reason.message, where, class_="note"))
    flags = [(" ", render_badge(flag, "warn")) for flag in scored.flags.get(row, ())]
    vector = None if scored.rewards is None else scored.rewards[row]
    parts = "" if vector is None else ", ".join(format_number(float(number)) for number in list(vector)[:16])
    return el(
        "td",
        _render_number(float(scored.reward[row])),
        el("p", "by part: ", parts, class_="note") if parts else None,
        *flags,
        class_="number",
    )


def _render_components(old: Scored | None, new: Scored | None, row: int) -> Html:
    """Each component's value under both recipes."""
    names = dict.fromkeys(name for scored in (old, new) if scored is not None for name in scored.components)
    entries = [(el("code", name), _component(old, name, row), _component(new, name, row)) for name in names]
    if any(scored is not None and scored.reward_raw is not None for scored in (old, new)):
        entries.append((Html("before the comparison"), _raw(old, row), _raw(new, row)))
    return el(
        "ul",
        (el("li", name, " ", _render_number(before), " → ", _render_number(after)) for name, before, after in entries),
        class_="pairs",
    )


def _component(scored: Scored | None, name: str, row: int) -> float:
    if scored is None or name not in scored.components:
        return math.nan
    return float(scored.components[name].value[row])


def _raw(scored: Scored | None, row: int) -> float:
    return math.nan if scored is None or scored.reward_raw is None else float(scored.reward_raw[row])


def _render_number(value: float, *, sign: bool = False) -> Html:
    """A number to be read, with all of its digits for programs; a dash for none."""
    return el("data", format_number(value, sign=sign), value=repr(value))


def _excerpt(sample: Any) -> str:
    response = sample.get("response", "") if isinstance(sample, dict) else sample
    text = response if isinstance(response, str) else json.dumps(response, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"
