"""Recipes: what is loaded, how each works, and an editor that checks, tries and saves a recipe."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import yaml
from starlette.datastructures import FormData
from starlette.responses import Response

from reward_gateway.errors import InvalidRecipe, NotFound
from reward_gateway.pages.html import Html, el, join
from reward_gateway.pages.prose import phrase
from reward_gateway.pages.recipe_page import build_sample
from reward_gateway.recipes.plan import Plan
from reward_gateway.recipes.source_text import Block, find_blocks, rename_block

from ..draft import check_text, save_text
from ..layout import HEADERS
from ..old_and_new import compare, read_samples
from ..page import Page, Titled, Visit
from ..recipe_views import link_to_recipe, render_checked, render_comparison, render_lack, render_picture, render_rows
from ..rewards_file import RewardsFile, digest_text
from ..visitors import TOKEN_FIELD
from ..widgets import render_badge, render_empty

page = Page("recipes", "Recipes", order=2, scripts=("editor.js",))

_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True, slots=True)
class Opened:
    """What an editor is opened with.

    Attributes:
        edited: the recipe of the file whose text it is; empty: a new one.
        digest: of its text in the file.
        old: the loaded recipe that it is compared with.
    """

    name: str
    text: str
    edited: str
    digest: str
    old: Plan


@page.show
async def show(visit: Visit) -> Html | Titled:
    """The list, or one recipe: ``?name=``, or ``?copy=`` for a new one that begins as a copy."""
    query = visit.request.query_params
    if "name" in query:
        opened = _open(visit, query["name"])
        return Titled(opened.name, await _render_recipe(visit, opened))
    if "copy" in query:
        opened = _copy(visit, query["copy"])
        return Titled(f"{opened.name}, a new one", await _render_recipe(visit, opened))
    book = visit.parts.gateway.book
    return join(
        el("h1", "Recipes"),
        el("p", "What this gateway computes rewards by: models and rules, and how they are combined.", class_="lead"),
        el(
            "div",
            el("label", "Find", for_="q"),
            el(
                "input",
                type="search",
                id="q",
                name="q",
                autocomplete="off",
                placeholder="a name, component, model or word",
                hx_get=visit.link_to("/console/recipes/rows"),
                hx_trigger="input changed delay:200ms",
                hx_target="#rows",
                hx_sync="this:replace",
            ),
            el(
                "a",
                "Write a new recipe",
                href=visit.link_to(f"/console/recipes?copy={quote(book.choose().name)}"),
                class_="button",
            ),
            class_="tools",
        ),
        el("div", await _render_list(visit), id="rows", aria_live="polite"),
    )


@page.get("rows")
async def rows(visit: Visit) -> Html:
    """The list, of the recipes with some words."""
    return await _render_list(visit)


@page.post("check")
async def check(visit: Visit) -> Html:
    """The faults of a text; its picture where it has none."""
    checked = await check_text(visit, _read(await visit.form(), "text"))
    if checked.plan is None:
        return render_checked(checked)
    picture = el("div", render_picture(visit, checked.plan), id="picture", hx_swap_oob="innerHTML")
    return join(render_checked(checked), picture)


@page.post("compare")
async def compare_recipes(visit: Visit) -> Html:
    """A loaded recipe against the text, on samples."""
    form = await visit.form()
    samples = read_samples(_read(form, "samples"))
    old = _find(visit, _read(form, "against"))
    checked = await check_text(visit, _read(form, "text"))
    if checked.plan is None:
        first = checked.faults[0]
        raise InvalidRecipe(f"mend the recipe first: line {first.line}, {first.path}: {first.message}")
    return render_comparison(await compare(visit, old, checked.plan, samples))


@page.post("download")
async def download(visit: Visit) -> Response:
    """The text as a file, faults included: it is the writer's own."""
    form = await visit.form()
    name = _NO_NAME.sub("_", _read(form, "name")) or "recipe"
    headers = {**HEADERS, "content-disposition": f'attachment; filename="{name}.yaml"'}
    return Response(_read(form, "text"), headers=headers, media_type="application/yaml")


@page.post("save")
async def save(visit: Visit) -> Response:
    """Write the recipe into the gateway's file."""
    form = await visit.form()
    saved = await save_text(visit, *(_read(form, name) for name in ("text", "edited", "digest")))
    name, file = saved.block.name, visit.parts.settings.rewards_file.name
    after = (
        join(" It is in use: ", el("a", "use it in Try", href=visit.link_to(f"/console/try?recipe={quote(name)}")), ".")
        if saved.loaded
        else " The gateway has not loaded it yet; the list shows when it has."
    )
    said = el("p", render_badge("saved", "good"), f" {name} is in {file}, version {saved.version}.", after)
    origin = _render_origin(Opened(name, "", name, digest_text(saved.block.text), _find(visit, None)))
    headers = {**HEADERS, "hx-replace-url": link_to_recipe(visit, quote(name))}
    content = join(
        said,
        el("div", origin, id="origin", hx_swap_oob="innerHTML"),
        el("span", name, id="name", hx_swap_oob="innerHTML"),
    )
    return Response(content, headers=headers, media_type="text/html")


# What is opened


def _find(visit: Visit, name: str | None) -> Plan:
    book = visit.parts.gateway.book
    plan = book.choose() if name is None else book.plans.get(name)
    if plan is None:
        raise NotFound("there is no recipe of this name: it was removed, or never loaded")
    return plan


def _open(visit: Visit, name: str) -> Opened:
    plan = _find(visit, name)
    block = _find_block(visit, name)
    if block is None:
        return Opened(name, _write_source(name, plan), name, "", plan)
    return Opened(name, block.text, name, digest_text(block.text), plan)


def _copy(visit: Visit, name: str) -> Opened:
    plan = _find(visit, name)
    book = visit.parts.gateway.book
    names = (f"{name}_copy{number or ''}" for number in range(len(book.plans) + 1))
    new = next(each for each in names if each not in book.plans)
    block = _find_block(visit, name)
    text = _write_source(new, plan) if block is None else rename_block(block, new).text
    return Opened(new, text, "", "", plan)


def _find_block(visit: Visit, name: str) -> Block | None:
    """The recipe as the file has it, with its comments, which are no business of everybody."""
    file = RewardsFile(visit.parts.settings.rewards_file)
    if not (file.is_built_in or visit.has_right("admin")):
        return None
    try:
        return find_blocks(file.read()).get(name)
    except InvalidRecipe:
        return None  # what is loaded is of an earlier time


def _write_source(name: str, plan: Plan) -> str:
    source = {"rewards": {name: dict(plan.source)}}
    return yaml.safe_dump(source, sort_keys=False, allow_unicode=True, width=100)


def _read(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


# What is shown


async def _render_list(visit: Visit) -> Html:
    gateway = visit.parts.gateway
    readiness = await gateway.check_readiness()
    return render_rows(visit, gateway.book, readiness.lacks, visit.request.query_params.get("q", ""))


async def _render_recipe(visit: Visit, opened: Opened) -> Html:
    lack = await visit.parts.gateway.find_lack(opened.old.name)
    links = [("All recipes", "/console/recipes")]
    if opened.edited:
        links += [
            ("Copy as a new recipe", f"/console/recipes?copy={quote(opened.name)}"),
            ("Use it in Try", f"/console/try?recipe={quote(opened.name)}"),
        ]
    description = phrase(opened.old.description) if opened.edited else f"A new recipe, begun as {opened.old.name}."
    return join(
        el("h1", el("small", "recipes/"), el("span", opened.name, id="name")),
        el("p", description, class_="lead"),
        render_lack(opened.old.name, lack) if lack else None,
        el("p", ((el("a", text, href=visit.link_to(path)), " ") for text, path in links), class_="links"),
        el("section", render_picture(visit, opened.old), id="picture", aria_label="How it works"),
        el("h2", "Write"),
        _render_editor(visit, opened),
        el("h2", "Try on samples"),
        _render_trial(visit, opened),
    )


def _render_editor(visit: Visit, opened: Opened) -> Html:
    area = el(
        "textarea",
        "\n" + opened.text,  # browsers drop the first line break
        id="text",
        name="text",
        rows=min(32, max(14, opened.text.count("\n") + 3)),
        wrap="off",
        spellcheck="false",
        autocapitalize="off",
        autocomplete="off",
        aria_label="Recipe, as YAML",
        aria_describedby="faults",
        hx_post=visit.link_to("/console/recipes/check"),
        hx_trigger="load, input changed delay:300ms",
        hx_target="#faults",
        hx_sync="this:replace",
    )
    return el(
        "form",
        el("div", _render_origin(opened), id="origin"),
        el("input", type="hidden", name=TOKEN_FIELD, value=visit.token),
        el(
            "div",
            el("div", el("pre", id="gutter", class_="gutter", aria_hidden="true"), area, class_="editor"),
            el(
                "div",
                el("div", el("p", "Checking …"), id="faults", role="status"),
                _render_saving(visit),
                class_="beside",
            ),
            class_="writing",
        ),
        id="draft",
        method="post",
        action=visit.link_to("/console/recipes/download"),
    )


def _render_origin(opened: Opened) -> Html:
    """What the editor was opened with, so that a change of somebody else is noticed."""
    fields = {"name": opened.name, "edited": opened.edited, "digest": opened.digest}
    return join(*(el("input", type="hidden", name=name, value=value) for name, value in fields.items()))


def _render_saving(visit: Visit) -> Html:
    why = RewardsFile(visit.parts.settings.rewards_file).explain_unwritable()
    if not visit.has_right("admin"):
        why = "Saving needs a key with the right admin: download the recipe, and hand it to who runs this gateway."
    button = el(
        "button",
        "Save",
        type="button",
        class_="primary",
        hx_post=visit.link_to("/console/recipes/save"),
        hx_include="#draft",
        hx_target="#saved",
        hx_disabled_elt="this",
    )
    return join(
        el("p", None if why else button, " ", el("button", "Download", type="submit")),
        el("p", why, class_="note") if why else None,
        el("div", id="saved", role="status"),
    )


def _render_trial(visit: Visit, opened: Opened) -> Html:
    names = list(visit.parts.gateway.book.plans)
    example = json.dumps(_build_samples(opened.old), ensure_ascii=False, indent=2)
    return join(
        el(
            "form",
            el("label", "Samples, as a JSON list or one JSON object per line", for_="samples"),
            el("textarea", "\n" + example, id="samples", name="samples", rows=8, wrap="off", spellcheck="false"),
            el(
                "div",
                el("label", "Against the loaded recipe", for_="against"),
                el(
                    "select",
                    (el("option", name, value=name, selected=name == opened.old.name) for name in names),
                    id="against",
                    name="against",
                ),
                el("button", "Run old against new", type="submit", class_="primary"),
                el("span", "Scoring …", class_="htmx-indicator", role="status"),
                class_="tools",
            ),
            id="compare",
            hx_post=visit.link_to("/console/recipes/compare"),
            hx_include="#text",
            hx_target="#compared",
            hx_disabled_elt="find button",
        ),
        el(
            "section",
            render_empty("Not tried yet", "Paste samples of your data, and see both rewards before anything is saved."),
            id="compared",
            aria_live="polite",
            aria_label="Old against new",
        ),
    )


def _build_samples(plan: Plan) -> list[dict[str, Any]]:
    """The recipe's example, and another response beside it: many recipes compare the samples of a prompt."""
    sample = build_sample(plan)
    return [sample, {**sample, "response": "I do not know."}] if isinstance(sample.get("response"), str) else [sample]
