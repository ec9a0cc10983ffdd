"""The pages that lead to the others: operations by kind, recipes, and the systems of which nothing is served."""

from reward_gateway.operations.guards import GUARDS
from reward_gateway.operations.registry import KINDS, Catalog, Kind
from reward_gateway.operations.unserved import UNSERVED
from reward_gateway.recipes.book import RecipeBook

from .html import Html, el, join
from .layout import page, table
from .operation_page import FIDELITIES, badge
from .prose import phrase
from .site import HOME, REWARDS, SYSTEMS, Place, operation_path, reward_path

SAYS: dict[Kind, str] = {
    "score": "from a sample to a number",
    "transform": "from a number to a better one",
    "combine": "from several numbers to one",
    "credit": "from one number to a vector: steps, turns, tokens",
    "audit": "is the reward to be trusted?",
}


def operations_index(place: Place, catalog: Catalog) -> Html:
    """Every operation, by kind."""
    marks = (el("li", mark, ": ", meaning.rstrip("."), class_=mark) for mark, meaning in FIDELITIES.items())
    return page(
        place,
        "Operations",
        el("h1", "Operations"),
        el(
            "p",
            f"{len(catalog)} operations, each at ",
            el("code", "POST /v1/{kind}/{name}"),
            " and, by the same name, in recipes.",
            class_="lead",
        ),
        el("ul", marks, class_="facts"),
        [_kind(place, catalog, kind) for kind in KINDS],
    )


def _kind(place: Place, catalog: Catalog, kind: Kind) -> Html:
    rows = (
        (
            el("a", operation.name, href=place.to(operation_path(operation.kind, operation.name))),
            phrase(operation.summary),
            badge(operation.fidelity),
        )
        for operation in catalog.of_kind(kind)
    )
    heading = el("h2", kind, el("small", f" — {SAYS[kind]}", class_="note"), id=kind)
    return join(heading, table(("name", "what it gives", "fidelity"), *rows))


def rewards_index(place: Place, book: RecipeBook) -> Html:
    """Every recipe, and the guards that recipes may use."""
    rows = (
        (
            el("a", plan.name, href=place.to(reward_path(plan.name))),
            phrase(plan.description),
            ", ".join(plan.models) or "rules alone",
        )
        for plan in book
    )
    guards = ((el("code", guard.name), phrase(guard.summary)) for _, guard in sorted(GUARDS.items()))
    return page(
        place,
        "Recipes",
        el("h1", "Recipes"),
        el("p", "What ", el("code", "POST /v1/score"), " can be asked for.", class_="lead"),
        table(("name", "what it is", "models"), *rows),
        el("p", "Where a request names none, ", el("code", book.default), " answers.", class_="note"),
        el("h2", "Guards"),
        table(("guard", "catches"), *guards),
    )


def systems_index(place: Place) -> Html:
    """Published systems that define no reward."""
    parts = (
        join(
            el("h2", el("a", system.title, href=system.url, rel="noreferrer")),
            el("p", phrase(system.why)),
            _offered(place, system.offered),
        )
        for system in UNSERVED
    )
    return page(
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
    link = el("a", offered, href=place.to(operation_path(kind, name)))
    return el("p", "Offered in its place, as this project's own design: ", link, ".", class_="note")


__all__ = ["HOME", "REWARDS", "SYSTEMS", "operations_index", "rewards_index", "systems_index"]
