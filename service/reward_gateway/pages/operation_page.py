"""The page of one operation: what it computes, how to call it, example answers, and its source."""

import json
import shlex
from collections.abc import Sequence
from typing import Any

import orjson

from reward_gateway.operations.registry import Operation
from reward_gateway.operations.worked_examples import WorkedExample

from .curves import draw_plot
from .fields import render_fields
from .html import Html, el, join
from .layout import code_block, render_layout
from .prose import phrase, prose
from .recipe_snippet import write_recipe
from .site import Place

BASE = "http://127.0.0.1:8080"
"""The address that `make serve` binds to."""

FIDELITIES = {
    "verified": "The formula was checked against the publication or its authors' code.",
    "second-hand": "The formula was taken from others' descriptions of the publication.",
    "recalled": "The formula was written from memory; details may differ from the publication.",
    "design": "This project's own design, without a publication.",
}
"""Meaning of each fidelity."""

Answers = Sequence[Any] | None


def render_operation(place: Place, operation: Operation, worked: Sequence[tuple[WorkedExample, Answers]]) -> Html:
    """Render the page.

    Args:
        worked: examples, each with the service's results; None if they need a model, a judge or the sandbox.
    """
    row = operation.catalog_entry()
    curve = draw_plot(operation)
    return render_layout(
        place,
        f"{operation.kind}/{operation.name}",
        el("h1", el("small", f"{operation.kind}/"), operation.name),
        el("p", phrase(operation.summary), class_="lead"),
        el("ul", _render_facts(operation), class_="facts"),
        prose(operation.text),
        curve,
        _render_source(operation),
        el("h2", "Parameters"),
        render_fields(row["params_schema"]),
        el("h2", "Items"),
        render_fields(row["item_schema"]),
        el("h2", "Examples"),
        [_render_example(operation, example, answered) for example, answered in worked],
        el("h2", "In a recipe"),
        code_block(write_recipe(operation), copy=True),
    )


def render_badge(fidelity: str) -> Html:
    """Render the fidelity of a formula, with its meaning as a tooltip."""
    return el("span", fidelity, class_=f"badge {fidelity}", title=FIDELITIES[fidelity])


def format_curl(path: str, body: Any, method: str = "POST") -> str:
    """Format a shell command that sends a body."""
    named = "" if method == "POST" else f"-X {method} "
    return f"curl -s {named}{BASE}{path} -H 'Content-Type: application/json' -d {shlex.quote(format_json(body))}"


def format_json(value: Any) -> str:
    """Format JSON on one line, or one line per member if that is longer than 100 characters."""
    line = orjson.dumps(value).decode()
    if len(line) <= 100 or not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False) if len(line) <= 100 else line
    if isinstance(value, dict):
        inner = ",\n".join(f"{json.dumps(key)}: {format_json(entry)}" for key, entry in value.items())
        return "{" + inner.replace("\n", "\n ") + "}"
    inner = ",\n".join(format_json(entry) for entry in value)
    return "[" + inner.replace("\n", "\n ") + "]"


def _render_facts(operation: Operation) -> list[Html]:
    facts = [
        el("li", operation.fidelity, class_=operation.fidelity, title=FIDELITIES[operation.fidelity]),
        el("li", f"returns a {operation.returns}"),
    ]
    for trait, text, meaning in (
        (operation.stateful, "stateful", "The answer depends on stored state and is never cached."),
        (operation.grouped, "grouped", "The answer for an item depends on the other members of its group."),
        (operation.pooled, "pooled", "The items of a request form one data set with one result."),
    ):
        if trait:
            facts.append(el("li", text, title=meaning))
    return facts


def _render_source(operation: Operation) -> Html:
    title, url = operation.source.title, operation.source.url
    published = url.startswith("https://")
    link = el("a", title, href=url, rel="noreferrer") if published else el("span", title, title=url)
    return el("p", "Source: ", link, ". ", FIDELITIES[operation.fidelity], class_="note")


def _render_example(operation: Operation, example: WorkedExample, answered: Answers) -> Html:
    return join(
        el("h3", example.title),
        code_block(format_curl(f"/v1/{operation.kind}/{operation.name}", example.request), copy=True),
        _render_given(example),
        code_block(format_json({"results": answered if answered is not None else example.results})),
    )


def _render_given(example: WorkedExample) -> Html | None:
    if "models" in example.given:
        scores = "; ".join(f"{name} scores {', '.join(map(str, own))}" for name, own in example.given["models"].items())
        return el("p", f"Answer if the model {scores}:", class_="note")
    if "logprobs" in example.given:
        words = "Answer if the hosted language model gives the texts these log-probabilities, one list per text: "
        return el("p", words, format_json(example.given["logprobs"]), class_="note")
    if "steps" in example.given:
        words = "Answer if the hosted process model gives the steps these numbers, one list per response: "
        return el("p", words, format_json(example.given["steps"]), class_="note")
    if "put" in example.given:
        put = [format_curl(path, body, method="PUT") for path, body in example.given["put"].items()]
        return join(el("p", "Answer after:", class_="note"), code_block("\n".join(put), copy=True))
    if "sandbox" in example.given:
        return el("p", "Answer if the operator has enabled the sandbox:", class_="note")
    return None
