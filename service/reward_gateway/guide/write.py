"""Write the guide and the pages of operations and recipes as files that link to each other."""

from collections.abc import AsyncIterator
from pathlib import Path

from reward_gateway.pages.pages import write_pages
from reward_gateway.recipes.book import RecipeBook

from .guide import Guide
from .search import INDEX
from .site import PAGES, STATIC, file_name


async def write_site(folder: Path, book: RecipeBook) -> AsyncIterator[Path]:
    """Write every file of the site; yields each page once it is written.

    Raises:
        OSError: a file cannot be written.
    """
    guide = Guide(files=True)
    for page in guide.contents:
        file = folder / file_name(page.path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(guide.render_page(page.path), encoding="utf-8")
        yield file
    (folder / STATIC).mkdir(parents=True, exist_ok=True)
    for name, content in guide.assets:
        (folder / STATIC / name).write_bytes(content)
    (folder / INDEX).write_text(guide.write_index(book), encoding="utf-8")
    async for file in write_pages(folder / PAGES, book):
        yield file
