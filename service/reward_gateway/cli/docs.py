"""``docs``: writes the guide and the pages of operations and recipes as static files."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from .configuration import read_settings
from .output import FAULTY, Unusable, err
from .reference import hand_over
from .rewards import fault_lines, read_recipes

app = typer.Typer(help="The documentation: the guide, and a page for every operation and recipe.", no_args_is_help=True)


@app.callback()
def docs() -> None:
    """The documentation: the guide, and a page for every operation and recipe."""


@app.command()
def build(
    out: Annotated[Path, typer.Argument(help="Folder to write to; created if missing.")],
    rewards_file: Annotated[
        Path | None, typer.Option("--rewards-file", help="A recipe file.", show_default="the settings' one")
    ] = None,
) -> None:
    """Write the guide, and a page for every operation and recipe, as files that need no server and no network."""
    from reward_gateway.errors import InvalidRecipe
    from reward_gateway.guide.write import write_site
    from reward_gateway.http.reference import hand_over_without_gateway
    from reward_gateway.recipes.book import load_book

    async def count_pages() -> int:
        return len([file async for file in write_site(out, book)])

    hand_over()
    hand_over_without_gateway()
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
