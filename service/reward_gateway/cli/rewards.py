"""``rewards``: the recipes of a running service, and the check of a file before it is one's."""

import json
from pathlib import Path
from typing import Annotated

import typer

from .output import FAULTY, TIMEOUT_S, ApiKey, AsJson, Unusable, Url, err, table

app = typer.Typer(help="The recipes: list, check.", no_args_is_help=True)

COLUMNS = ("name", "version", "inputs", "range", "components", "traits", "description")


@app.command("list")
def list_rewards(url: Url = None, api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """List the recipes of a running service."""
    from reward_gateway.client import RewardClient

    with RewardClient(url, api_key=api_key, timeout_s=TIMEOUT_S) as client:
        rows = client.rewards()
    if as_json:
        print(json.dumps(rows))
        return
    table(COLUMNS, (_row(row) for row in rows))


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="A recipe file.", show_default="the settings' one")] = None,
    any_model: Annotated[
        bool, typer.Option("--any-model", help="Take unknown names for models that will be there.")
    ] = False,
) -> None:
    """Compile a recipe file as the service does at start: every fault with its place. Exit 1 if there is any."""
    from reward_gateway.errors import InvalidRecipe
    from reward_gateway.recipes.book import load_book

    path = file or _default()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{path} cannot be read ({type(error).__name__})") from None
    try:
        book = load_book(text, None if any_model else _known_models())
    except InvalidRecipe as error:
        faults = error.faults or [{"place": "", "path": "", "message": error.message}]
        for fault in faults:
            print(f"{path}:{_place(fault['place'])} {fault['path']}: {fault['message']}")
        raise typer.Exit(FAULTY) from None
    err.print(f"{path}: {len(book.plans)} recipes, default {book.default}, no faults", markup=False, soft_wrap=True)


def _default() -> Path:
    from reward_gateway.settings import Settings

    return Settings().rewards_file


def _known_models() -> dict[str, tuple[str, ...]] | None:
    """Models of the repository with the fields that they read; None where there is no repository to look into."""
    from reward_models.repository import available, card

    from reward_gateway.settings import Settings

    repository = Settings().model_repository
    if not (repository.is_dir() and available(repository)):
        return None
    return {name: tuple(card.read(repository / name).content["inputs"]) for name in available(repository)}


def _row(row: dict[str, object]) -> list[str]:
    traits = [trait for trait in ("grouped", "stateful") if row[trait]] + [str(row["returns"])]
    said = {**row, "traits": traits}
    return [", ".join(map(str, v)) if isinstance(v := said[c], list) else str(v or "") for c in COLUMNS]


def _place(place: str) -> str:
    return place and f"{place}:"
