"""All pages of a gateway, by path. A page is rendered on request; pages of operations are cached."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from reward_gateway.errors import NotFound
from reward_gateway.operations.registry import Catalog, catalog
from reward_gateway.operations.worked_examples import examples_of
from reward_gateway.recipes.book import RecipeBook

from .answers import compute_answer
from .html import Html
from .indexes import render_operations_index, render_rewards_index, render_systems_index
from .operation_page import render_operation
from .recipe_page import render_recipe
from .site import HOME, REWARDS, SYSTEMS, Place, file_name, operation_path, reward_path


class Pages:
    """The pages over a catalogue.

    Args:
        files: write links for a folder of files instead of a server.
        root_path: where a proxy serves the gateway; links begin with it.
    """

    def __init__(self, operations: Catalog | None = None, *, files: bool = False, root_path: str = "") -> None:
        self._operations = operations or catalog()
        self._files = files
        self._root_path = root_path
        self._rendered: dict[str, Html] = {}

    def paths(self, book: RecipeBook) -> Iterator[str]:
        """Paths of all pages."""
        yield from (HOME, REWARDS, SYSTEMS)
        yield from (operation_path(operation.kind, operation.name) for operation in self._operations)
        yield from (reward_path(plan.name) for plan in book)

    async def render_page(self, path: str, book: RecipeBook) -> Html:
        """Render the page at a path.

        Raises:
            NotFound: there is no page at this path.
        """
        place = Place(path, self._files, self._root_path)
        match path.split("/"):
            case [""]:
                return render_operations_index(place, self._operations)
            case ["rewards"]:
                return render_rewards_index(place, book)
            case ["systems"]:
                return render_systems_index(place)
            case ["rewards", name]:
                plan = book.get(name)
                return render_recipe(place, plan, plan.name == book.default)
            case ["operations", kind, name]:
                return await self._render_operation(place, kind, name)
        raise NotFound("there is no such page; /pages lists them")

    async def _render_operation(self, place: Place, kind: str, name: str) -> Html:
        if place.path not in self._rendered:
            operation = self._operations.get(kind, name)
            if operation is None:
                raise NotFound("there is no operation of this kind and name; /pages lists them")
            worked = [(example, await compute_answer(operation, example)) for example in examples_of(kind, name)]
            self._rendered[place.path] = render_operation(place, operation, worked)
        return self._rendered[place.path]


async def write_pages(folder: Path, book: RecipeBook) -> AsyncIterator[Path]:
    """Write every page into a folder, as files that link to each other; yields each file once it is written.

    Raises:
        OSError: a file cannot be written.
    """
    pages = Pages(files=True)
    for path in pages.paths(book):
        file = folder / file_name(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(await pages.render_page(path, book), encoding="utf-8")
        yield file
