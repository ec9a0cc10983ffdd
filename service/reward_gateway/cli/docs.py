"""``docs``: writes the pages of operations and recipes as static files."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from .configuration import read_settings
from .output import FAULTY, Unusable, err
from .rewards import fault_lines, read_recipes

app = typer.Typer(help="The pages of operations and recipes.", no_args_is_help=True)


@app.callback()
def docs() -> None:
    """The pages of operations and recipes."""


@app.command()
def build(
    out: Annotated[Path, typer.Argument(help="Folder to write to; created if missing.")],
    rewards_file: Annotated[
        Path | None, typer.Option("--rewards-file", help="A recipe file.", show_default="the settings' one")
    ] = None,
) -> None:
    """Write a page for every operation and recipe, and the index pages."""
    from reward_gateway.errors import InvalidRecipe
    from reward_gateway.pages.pages import write_pages
    from reward_gateway.recipes.book import load_book

    async def count_pages() -> int:
        return len([file async for file in write_pages(out, book)])

    path = rewards_file or read_settings().rewards_file
    try:
        book = load_book(read_recipes(path))
        count = asyncio.run(count_pages())
    except InvalidRecipe as error:
        for line in fault_lines(path, error.faults):
            print(line)
        raise typer.Exit(FAULTY) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{error.filename or path} cannot be used ({type(error).__name__})") from None  # type: ignore[union-attr]
    err.print(f"{out}: {count} pages; open {out / 'index.html'}", markup=False, soft_wrap=True)
