"""Index pages: operations by kind, recipes, and published systems that define no reward."""

from reward_gateway.operations.guards import GUARDS, Guard
from reward_gateway.operations.registry import KINDS, Catalog, Kind
from reward_gateway.operations.unserved import UNSERVED
from reward_gateway.recipes.book import RecipeBook

from .fields import render_fields
from .html import Html, el, join
from .layout import render_layout, render_table
from .operation_page import FIDELITIES, render_badge
from .prose import phrase, prose
from .site import Place, operation_path, reward_path

DESCRIPTIONS: dict[Kind, str] = {
    "score": "a number for a sample",
    "transform": "reshape a number",
    "combine": "several numbers into one",
    "credit": "distribute a reward over steps, turns or tokens",
    "audit": "check whether a reward can be trusted",
}


def render_operations_index(place: Place, catalog: Catalog) -> Html:
    """Every operation, by kind."""
    marks = (el("li", mark, ": ", meaning.rstrip("."), class_=mark) for mark, meaning in FIDELITIES.items())
    return render_layout(
        place,
        "Operations",
        el("h1", "Operations"),
        el(
            "p",
            f"{len(catalog)} operations. Each is served at ",
            el("code", "POST /v1/{kind}/{name}"),
            " and can be used in recipes under the same name.",
            class_="lead",
        ),
        el("ul", marks, class_="facts"),
        [_render_kind(place, catalog, kind) for kind in KINDS],
    )


def _render_kind(place: Place, catalog: Catalog, kind: Kind) -> Html:
    rows = (
        (
            el("a", operation.name, href=place.link_to(operation_path(operation.kind, operation.name))),
            phrase(operation.summary),
            render_badge(operation.fidelity),
        )
        for operation in catalog.of_kind(kind)
    )
    heading = el("h2", kind, el("small", f" — {DESCRIPTIONS[kind]}", class_="note"), id=kind)
    return join(heading, render_table(("name", "what it computes", "fidelity"), *rows))


def render_rewards_index(place: Place, book: RecipeBook) -> Html:
    """Every recipe, and the guards that recipes may use."""
    rows = (
        (
            el("a", plan.name, href=place.link_to(reward_path(plan.name))),
            phrase(plan.description),
            ", ".join(plan.models) or "rules only",
        )
        for plan in book
    )
    return render_layout(
        place,
        "Recipes",
        el("h1", "Recipes"),
        el("p", "The rewards that ", el("code", "POST /v1/score"), " can compute.", class_="lead"),
        render_table(("name", "what it is", "models"), *rows),
        el("p", "The default, if a request names none: ", el("code", book.default), ".", class_="note"),
        el("h2", "Guards"),
        el(
            "p",
            "A recipe lists its guards; each flags the samples that it finds suspicious. With ",
            el("code", "action: zero"),
            " their reward becomes 0, with ",
            el("code", "action: invalid"),
            " they have none.",
        ),
        [_render_guard(guard) for _, guard in sorted(GUARDS.items())],
    )


def _render_guard(guard: Guard) -> Html:
    return join(
        el("h3", el("code", guard.name), id=f"guard-{guard.name}"),
        el("p", phrase(guard.summary)),
        prose(guard.text) if guard.text else None,
        render_fields(guard.params.model_json_schema()),
    )


def render_systems_index(place: Place) -> Html:
    """Published systems that define no reward."""
    parts = (
        join(
            el("h2", el("a", system.title, href=system.url, rel="noreferrer")),
            el("p", phrase(system.why)),
            _offered(place, system.offered),
        )
        for system in UNSERVED
    )
    return render_layout(
        place,
        "Not served",
        el("h1", "Not served"),
        el("p", "Publications that were read and define no reward: nothing of theirs is served.", class_="lead"),
        *parts,
    )


def _offered(place: Place, offered: str | None) -> Html | None:
    if offered is None:
        return None
    kind, _, name = offered.partition("/")
    link = el("a", offered, href=place.link_to(operation_path(kind, name)))
    return el("p", "Offered in its place, as this project's own design: ", link, ".", class_="note")
