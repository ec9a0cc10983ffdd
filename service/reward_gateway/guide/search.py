"""What the search of the guide looks in: the passages of its pages, operations and recipes, as a script.

A script and not JSON, because a page that was opened from a file may load the one and not the other.
"""

from collections.abc import Iterable, Iterator

import orjson

from reward_gateway.operations.registry import Catalog
from reward_gateway.pages.site import operation_path, reward_path
from reward_gateway.recipes.book import RecipeBook

from .contents import Contents
from .markdown import Document
from .site import Place

INDEX = "search-index.js"
GLOBAL = "rewardGatewayGuide"

Entry = tuple[str, str, str, str]
"""Title, where it is (section and page), link from any page's root, text."""


def list_passages(contents: Contents, documents: Iterable[Document], home: Place) -> Iterator[Entry]:
    """The passages of every page, in their order."""
    for page, document in zip(contents, documents, strict=True):
        section = contents.section_of(page)
        where = [section.title] if section else ["Guide"]
        for passage in document.passages:
            heading = passage.heading
            link = home.link_to(page.path) + (f"#{heading.anchor}" if heading.level > 1 else "")
            yield heading.text, " › ".join([*where, page.short_title][: heading.level]), link, passage.text.strip()


def list_operations(catalog: Catalog, book: RecipeBook, home: Place) -> Iterator[Entry]:
    """Every operation and every recipe, which have pages of their own."""
    for operation in catalog:
        link = home.link_to_served(f"/pages/{operation_path(operation.kind, operation.name)}")
        yield operation.name, f"Operations › {operation.kind}", link, operation.summary
    for plan in book:
        yield plan.name, "Recipes", home.link_to_served(f"/pages/{reward_path(plan.name)}"), plan.description


def write_index(entries: Iterable[Entry]) -> str:
    """The script."""
    return f"window.{GLOBAL} = {orjson.dumps([*entries]).decode()};\n"
