"""``models``: list, build, check and manage the models of the repository."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from . import live
from .add import add
from .completion import complete_model
from .fetch import fetch
from .known.command import known
from .models_evaluate import evaluate
from .output import FAULTY, TIMEOUT_S, ApiKey, AsJson, Url, err, print_error, print_table
from .progress import progress_bar
from .repository import Repository, wanted
from .repository import folder as folder_of

app = typer.Typer(
    help="The reward models: list, build, check, add, evaluate; load, unload and roll back; known public ones.",
    no_args_is_help=True,
)
app.command()(add)
app.command()(evaluate)
app.command()(fetch)
app.command()(known)
for _command in (live.load, live.unload, live.versions, live.rollback):
    app.command()(_command)

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Names of models. If omitted: all.", show_default=False, autocompletion=complete_model),
]


@app.command("list")
def list_models(
    repository: Repository = None, url: Url = None, api_key: ApiKey = None, as_json: AsJson = False
) -> None:
    """List the models of a running service (--url) or of the repository."""
    rows = _served(url, api_key) if url else _held(folder_of(repository))
    if as_json:
        print(json.dumps(rows))
        return
    columns = list(rows[0]) if rows else []
    print_table(columns, ([_cell(row[column]) for column in columns] for row in rows))


@app.command()
def build(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names of models. If omitted: the default tier.", show_default=False, autocompletion=complete_model
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Include the extra tier.")] = False,
    repository: Repository = None,
) -> None:
    """Build the models that are not built yet."""
    from reward_models import build as builder
    from reward_models.build import tiers
    from reward_models.repository import RepositoryError

    folder = folder_of(repository)
    chosen = wanted(names, folder) if names or every else tiers.list_default(folder)
    missing = {name: builder.count_missing_files(name, folder) for name in chosen}
    with progress_bar(kept=False) as progress:
        bar = progress.add_task("building models, files", total=sum(missing.values()), visible=any(missing.values()))
        for name, files in missing.items():
            if not files:
                err.print(f"{name}: already built", markup=False)
                continue
            try:
                builder.build_model(
                    name, folder, lambda line: err.print(line, markup=False), lambda: progress.advance(bar)
                )
            except RepositoryError as error:
                print_error(f"{name} cannot be built: {error}")
                raise typer.Exit(FAULTY) from None
    if not names and (left := tiers.list_unbuilt_extra(folder)):
        err.print(tiers.describe_unbuilt(left), markup=False, soft_wrap=True)


@app.command()
def check(names: Names = None, repository: Repository = None) -> None:
    """Hash every file and list all faults. Exit 1 if there are any. Unbuilt models of the extra tier are skipped."""
    from reward_models import build as builder
    from reward_models.build import tiers
    from reward_models.repository import list_models

    folder = folder_of(repository)
    chosen = wanted(names, folder) if names else sorted({*list_models(folder)} - {*tiers.list_unbuilt_extra(folder)})
    faults: list[tuple[str, str]] = []
    with progress_bar(kept=False) as progress:
        bar = progress.add_task("checking models", total=len(chosen))
        for name in chosen:
            faults += [(name, fault) for fault in builder.check_model(name, folder)]
            progress.advance(bar)
    print_table(("model", "fault"), faults)
    if faults:
        raise typer.Exit(FAULTY)
    err.print("no faults")


def _held(repository: Path) -> list[dict[str, object]]:
    from reward_models import build as builder
    from reward_models.build import tiers
    from reward_models.repository import card, list_models

    return [
        {
            "name": name,
            "built": builder.is_built(name, repository),
            "tier": tiers.EXTRA if tiers.is_extra(name, repository) else "default",
            "quality": _quality(card.read_card(repository / name).content),
        }
        for name in list_models(repository)
    ]


def _served(url: str, api_key: str | None) -> list[dict[str, object]]:
    from reward_gateway.client import RewardClient

    with RewardClient(url, api_key=api_key, timeout_s=TIMEOUT_S) as client:
        return [
            {name: row[name] for name in ("name", "version", "ready", "inputs", "dimensions")}
            | {"quality": _quality(row.get("card") or {})}
            for row in client.models()
        ]


def _quality(card: Mapping[str, Any]) -> str:
    """The card's first figure of each measurement that has a target."""
    quality, targets = card.get("quality") or {}, card.get("targets") or {}
    return ", ".join(
        f"{part} {quality[part][figure]}" for part, figures in targets.items() for figure in list(figures)[:1]
    )


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
