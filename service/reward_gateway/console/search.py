"""Search over operations, recipes and models by their names and what is said of them."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from reward_gateway.backends.port import ModelInfo
from reward_gateway.operations.registry import catalog
from reward_gateway.recipes.book import RecipeBook

MOST = 12
"""Maximum findings that are shown."""


class Finding(NamedTuple):
    """Something that can be found: its kind, its name, what is said of it, and the path of its page."""

    kind: str
    name: str
    text: str
    path: str


def find(words: str, book: RecipeBook, models: Iterable[ModelInfo]) -> list[Finding]:
    """What has all of the words, in its name first; the shortest names first."""
    wanted = words.lower().split()
    if not wanted:
        return []

    def rank(found: Finding) -> tuple[bool, int, str]:
        return not all(word in found.name.lower() for word in wanted), len(found.name), found.name

    matches = [
        found
        for found in list_all(book, models)
        if all(word in f"{found.kind} {found.name} {found.text}".lower() for word in wanted)
    ]
    return sorted(matches, key=rank)


def list_all(book: RecipeBook, models: Iterable[ModelInfo]) -> Iterator[Finding]:
    """Everything that can be found."""
    for plan in book:
        yield Finding("recipe", plan.name, plan.description, f"/console/recipes?name={quote(plan.name)}")
    for model in models:
        yield Finding(
            "model", model.name, f"reads {', '.join(model.inputs)}", f"/console/models?name={quote(model.name)}"
        )
    for operation in catalog():
        path = f"/pages/operations/{operation.kind}/{operation.name}"
        yield Finding(operation.kind, operation.name, operation.summary, path)
