"""Models: what is served, how good and how fast it is; loaded, unloaded and rolled back from here."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import quote

from reward_gateway.backends.port import Device, ModelInfo
from reward_gateway.errors import GatewayError, InvalidRequest, ModelUnavailable, NotFound
from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.pages.layout import render_table

from ..model_figures import ModelFigures, read_model_figures
from ..page import Page, Titled, Visit
from ..widgets import render_badge, render_empty, render_note

page = Page("models", "Models", order=6, right="admin", styles=("models.css",))

_COLUMNS = ("model", "state", "versions", "quality, and its target", "device", "p50", "p95", "waiting", "")


@page.show
async def show(visit: Visit) -> Html | Titled:
    """The models, with their figures; or ``?name=``, one of them."""
    name = visit.request.query_params.get("name")
    if name is not None:
        return Titled(name, await _render_page(visit, name))
    return await _render_page(visit, None)


async def _render_page(visit: Visit, name: str | None) -> Html:
    return join(
        el("h1", "Models") if name is None else el("h1", el("small", "models/"), name),
        el(
            "p",
            "What the model servers serve, and what the repository holds beside it. Latency is that of calls since the "
            "start, over all workers of this machine.",
            class_="lead",
        ),
        el("p", el("a", "All models", href=visit.link_to(page.path)), class_="links") if name is not None else None,
        el("div", await _render_models(visit, name), id="models", aria_live="polite"),
    )


@page.post("load")
async def load(visit: Visit) -> Html:
    """Load a model, or bring back a version that was withdrawn."""
    return await _change(visit, visit.parts.model_admin.load, "is loaded")


@page.post("unload")
async def unload(visit: Visit) -> Html:
    """Unload a model, or withdraw one of its versions."""
    return await _change(visit, visit.parts.model_admin.unload, "is unloaded")


@page.post("rollback")
async def rollback(visit: Visit) -> Html:
    """Go back to the version before."""
    return await _change(visit, visit.parts.model_admin.rollback, "went back to the version before")


async def _change(visit: Visit, change: Callable[[str], Coroutine[Any, Any, Any]], done: str) -> Html:
    form = await visit.form()
    name, shown = form.get("name"), form.get("shown")
    try:
        if not isinstance(name, str) or not name:
            raise InvalidRequest("name a model, or a version of one: NAME@VERSION", param="name")
        await change(name)
        note = render_note(f"{name} {done}.")
    except GatewayError as error:
        note = render_note(error.message, kind="error")
    return join(note, await _render_models(visit, shown if isinstance(shown, str) else None))


async def _render_models(visit: Visit, name: str | None) -> Html:
    try:
        models = await visit.parts.gateway.list_models()
    except ModelUnavailable as error:
        return render_note(f"The models cannot be listed: {error.message}", kind="error")
    if not models:
        return render_empty("There are no models", "Add one with ", el("code", "reward-gateway models add"), ".")
    if name is not None:
        models = [model for model in models if model.name == name]
        if not models:
            raise NotFound(f"there is no model {name}")
    figures = await asyncio.to_thread(read_model_figures, visit.parts.telemetry.metrics)
    rows = [_render_row(visit, model, figures.get(model.name, ModelFigures()), name) for model in models]
    cards = [_render_card(model, is_open=name is not None) for model in models if model.card]
    return join(
        render_table(_COLUMNS, *rows),
        el("h2", "Cards") if cards else None,
        *cards,
    )


def _render_row(visit: Visit, model: ModelInfo, figures: ModelFigures, shown: str | None) -> tuple[Content, ...]:
    """``shown``: the model that is shown alone."""
    link = el("a", el("code", model.name), href=f"{visit.link_to(page.path)}?name={quote(model.name)}")
    return (
        join(link, el("p", ", ".join(model.inputs), class_="note") if model.inputs else None),
        _render_state(model),
        ", ".join(version.partition("-")[0] for version in model.versions) or "–",
        _describe_quality(model.card),
        _describe_device(model.device),
        _seconds(figures.quantile(0.5)),
        _seconds(figures.quantile(0.95)),
        f"{figures.queued:,.0f}",
        _render_actions(visit, model, shown),
    )


def _render_state(model: ModelInfo) -> Html:
    if model.ready:
        return render_badge("ready", "good")
    if not model.wanted:
        return render_badge("not loaded")
    return join(render_badge("not ready", "bad"), el("p", model.fault, class_="note") if model.fault else None)


def _describe_quality(card: Mapping[str, Any]) -> Content:
    """The figures of a card that have a target, each beside it."""
    quality, targets = card.get("quality") or {}, card.get("targets") or {}
    found: list[Html] = []
    for part, figures in targets.items() if isinstance(targets, Mapping) else ():
        for figure, target in figures.items() if isinstance(figures, Mapping) else ():
            measured = quality.get(part, {}).get(figure, "not measured")
            found.append(el("p", f"{part} {figure}: {measured} (target {_plain(target)})", class_="note"))
    return found or "–"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _describe_device(device: Device) -> str:
    gpus = f" {', '.join(map(str, device.gpus))}" if device.gpus else ""
    return f"{device.kind}{gpus}, {device.instances} instances" if device.instances else device.kind or "–"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value * 1e3:,.3g} ms"


def _render_actions(visit: Visit, model: ModelInfo, shown: str | None) -> Content:
    if model.device.kind == "upstream":
        return "served elsewhere"
    if not model.wanted:
        return _render_button(visit, "load", "Load", model.name, None, shown)
    gone = "Recipes that need it cannot answer until it is loaded."
    back = "Its newest version is withdrawn, and the one before answers its name."
    return [
        _render_button(visit, "rollback", "Roll back", model.name, back, shown) if len(model.versions) > 1 else None,
        _render_button(visit, "unload", "Unload", model.name, gone, shown),
    ]


def _render_button(visit: Visit, action: str, text: str, name: str, consequence: str | None, shown: str | None) -> Html:
    return el(
        "button",
        text,
        type="button",
        class_="danger" if consequence else None,
        hx_post=visit.link_to(f"/console/models/{action}"),
        hx_vals=json.dumps({"name": name} if shown is None else {"name": name, "shown": shown}),
        hx_confirm=f"{text} {name}? {consequence}" if consequence else None,
        hx_target="#models",
        hx_disabled_elt="this",
        aria_label=f"{text} {name}",
    )


def _render_card(model: ModelInfo, *, is_open: bool) -> Html:
    return el(
        "details",
        el("summary", f"{model.name}: {model.card.get('summary') or 'its card'}"),
        el(
            "pre",
            json.dumps(model.card, indent=2, ensure_ascii=False),
            tabindex="0",
            role="region",
            aria_label=f"Card of {model.name}",
        ),
        open=is_open,
    )
