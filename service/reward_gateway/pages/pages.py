"""All pages of a gateway, by path; each is made when it is asked for, and those of operations are kept."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from reward_gateway.errors import NotFound
from reward_gateway.operations.registry import Catalog, catalog
from reward_gateway.operations.worked_examples import examples_of
from reward_gateway.recipes.book import RecipeBook

from .answers import answer
from .html import Html
from .indexes import operations_index, rewards_index, systems_index
from .operation_page import operation_page
from .recipe_page import recipe_page
from .site import HOME, REWARDS, SYSTEMS, Place, file_of, operation_path, reward_path


class Pages:
    """The pages over a catalogue.

    Args:
        files: links are written for a folder of files.
    """

    def __init__(self, operations: Catalog | None = None, *, files: bool = False) -> None:
        self._operations = operations or catalog()
        self._files = files
        self._kept: dict[str, Html] = {}

    def paths(self, book: RecipeBook) -> Iterator[str]:
        """Every page that there is."""
        yield from (HOME, REWARDS, SYSTEMS)
        yield from (operation_path(operation.kind, operation.name) for operation in self._operations)
        yield from (reward_path(plan.name) for plan in book)

    async def page(self, path: str, book: RecipeBook) -> Html:
        """A page by its path.

        Raises:
            NotFound: there is none.
        """
        place = Place(path, self._files)
        match path.split("/"):
            case [""]:
                return operations_index(place, self._operations)
            case ["rewards"]:
                return rewards_index(place, book)
            case ["systems"]:
                return systems_index(place)
            case ["rewards", name]:
                plan = book.get(name)
                return recipe_page(place, plan, plan.name == book.default)
            case ["operations", kind, name]:
                return await self._operation(place, kind, name)
        raise NotFound("there is no such page; /pages lists them")

    async def _operation(self, place: Place, kind: str, name: str) -> Html:
        if place.path not in self._kept:
            operation = self._operations.get(kind, name)
            if operation is None:
                raise NotFound("there is no operation of this kind and name; /pages lists them")
            worked = [(example, await answer(operation, example)) for example in examples_of(kind, name)]
            self._kept[place.path] = operation_page(place, operation, worked)
        return self._kept[place.path]


async def write(folder: Path, book: RecipeBook) -> AsyncIterator[Path]:
    """Write every page into a folder, as files that point at each other; yields each file once it stands.

    Raises:
        OSError: a file cannot be written.
    """
    pages = Pages(files=True)
    for path in pages.paths(book):
        file = folder / file_of(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(await pages.page(path, book), encoding="utf-8")
        yield file
