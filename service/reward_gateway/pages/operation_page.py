"""The page of one operation: what it computes, how to call it, what it answers, where it comes from."""

import json
import shlex
from collections.abc import Sequence
from typing import Any

import orjson

from reward_gateway.operations.registry import Operation
from reward_gateway.operations.worked_examples import WorkedExample

from .curves import plot
from .fields import fields
from .html import Html, el, join
from .layout import code, page
from .prose import phrase, prose
from .site import Place

BASE = "http://127.0.0.1:8080"
"""Where `make serve` listens."""

FIDELITIES = {
    "verified": "The formula was read in the publication or its authors' code.",
    "second-hand": "The formula was read in others' notes on the publication.",
    "recalled": "The formula is recalled, not read anew; details may differ from the publication.",
    "design": "This project's own design: no publication says so.",
}
"""What each mark promises."""

Answers = Sequence[Any] | None


def operation_page(place: Place, operation: Operation, worked: Sequence[tuple[WorkedExample, Answers]]) -> Html:
    """The page.

    Args:
        worked: examples, each with the results that the service gave; None where they need what is not there.
    """
    row = operation.catalog_entry()
    curve = plot(operation)
    return page(
        place,
        f"{operation.kind}/{operation.name}",
        el("h1", el("small", f"{operation.kind}/"), operation.name),
        el("p", phrase(operation.summary), class_="lead"),
        el("ul", _facts(operation), class_="facts"),
        prose(operation.text),
        curve,
        _source(operation),
        el("h2", "Parameters"),
        fields(row["params_schema"]),
        el("h2", "Items"),
        fields(row["item_schema"]),
        el("h2", "Examples"),
        [_example(operation, example, answered) for example, answered in worked],
        el("h2", "In a recipe"),
        code(_in_recipe(operation), copy=True),
    )


def badge(fidelity: str) -> Html:
    """The mark of how sure a formula is, with its meaning as a tooltip."""
    return el("span", fidelity, class_=f"badge {fidelity}", title=FIDELITIES[fidelity])


def curl(path: str, body: Any) -> str:
    """A command that sends a body, to be copied into a shell."""
    return f"curl -s {BASE}{path} -H 'Content-Type: application/json' -d {shlex.quote(compact(body))}"


def compact(value: Any) -> str:
    """JSON in one line, or one line a member where that is long."""
    line = orjson.dumps(value).decode()
    if len(line) <= 100 or not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False) if len(line) <= 100 else line
    if isinstance(value, dict):
        inner = ",\n".join(f"{json.dumps(key)}: {compact(entry)}" for key, entry in value.items())
        return "{" + inner.replace("\n", "\n ") + "}"
    inner = ",\n".join(compact(entry) for entry in value)
    return "[" + inner.replace("\n", "\n ") + "]"


def _facts(operation: Operation) -> list[Html]:
    said = [
        el("li", operation.fidelity, class_=operation.fidelity, title=FIDELITIES[operation.fidelity]),
        el("li", f"returns a {operation.returns}"),
    ]
    for trait, text, meaning in (
        (operation.stateful, "stateful", "The answer depends on stored state; it is never cached."),
        (operation.grouped, "grouped", "The answer of an item depends on the other members of its group."),
        (operation.pooled, "pooled", "The items of a request are one data set with one result."),
    ):
        if trait:
            said.append(el("li", text, title=meaning))
    return said


def _source(operation: Operation) -> Html:
    title, url = operation.source.title, operation.source.url
    published = url.startswith("https://")
    link = el("a", title, href=url, rel="noreferrer") if published else el("span", title, title=url)
    return el("p", "Source: ", link, ". ", FIDELITIES[operation.fidelity], class_="note")


def _example(operation: Operation, example: WorkedExample, answered: Answers) -> Html:
    return join(
        el("h3", example.title),
        code(curl(f"/v1/{operation.kind}/{operation.name}", example.request), copy=True),
        _given(example),
        code(compact({"results": answered if answered is not None else example.results})),
    )


def _given(example: WorkedExample) -> Html | None:
    if "models" in example.given:
        said = "; ".join(f"{name} scores {', '.join(map(str, own))}" for name, own in example.given["models"].items())
        return el("p", f"Answered, where the model {said}:", class_="note")
    if "logprobs" in example.given:
        words = "Answered, where the hosted language model gives the texts these log-probabilities, a list each: "
        return el("p", words, compact(example.given["logprobs"]), class_="note")
    if "steps" in example.given:
        words = "Answered, where the hosted process model gives the steps these numbers, a list an answer: "
        return el("p", words, compact(example.given["steps"]), class_="note")
    if "sandbox" in example.given:
        return el("p", "Answered, where the operator has switched the sandbox on:", class_="note")
    return None


def _in_recipe(operation: Operation) -> str:
    """The lines of a recipe that use it, with the parameters that have to be given."""
    needed = ", ".join(
        f"{field.alias or name}: …" for name, field in operation.params.model_fields.items() if field.is_required()
    )
    given = f"{{{needed}}}" if needed else "{}"
    match operation.kind:
        case "score":
            params = f", params: {given}" if needed else ""
            return f"components:\n  mine: {{score: {operation.name}{params}}}"
        case "transform":
            return f"components:\n  mine: {{score: given, transforms: [{{{operation.name}: {given}}}]}}"
        case "audit":
            return f"# An audit is asked for by itself: POST /v1/audit/{operation.name}"
        case kind:
            return f"{kind}: {{{operation.name}: {given}}}"
