"""``rewards``: list the recipes of a running service, show one, or check a recipe file."""

import asyncio
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import quote

import typer

from reward_gateway.counted import count_of

from .completion import complete_reward
from .output import FAULTY, TIMEOUT_S, ApiKey, AsJson, Unusable, Url, err, print_table
from .repository import Repository
from .repository import folder as repository_folder
from .service import ask_service

if TYPE_CHECKING:
    from reward_gateway.recipes.known_models import KnownModels

app = typer.Typer(help="The recipes: list, show, check.", no_args_is_help=True)

COLUMNS = ("name", "version", "inputs", "range", "components", "traits", "description")

CHECK_TIMEOUT_S = 60.0
"""The service checks a file in a process of its own, which may have to start first."""


@app.command("list")
def list_rewards(url: Url = None, api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """List the recipes of a running service."""
    from reward_gateway.client import RewardClient

    with RewardClient(url, api_key=api_key, timeout_s=TIMEOUT_S) as client:
        rows = client.rewards()
    if as_json:
        print(json.dumps(rows))
        return
    print_table(COLUMNS, (_row(row) for row in rows))


@app.command()
def show(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A recipe, an alias or a served model.",
            show_default="the default recipe",
            autocompletion=complete_reward,
        ),
    ] = None,
    recipes: Annotated[
        Path | None, typer.Option("--recipes", help="A recipe file.", show_default="the settings' one")
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Show how a recipe is computed: its stages, conditions, cases, guards and combination.

    The recipe is one of a file or, with --url, of a running service.
    """
    from reward_gateway.recipes.picture import draw_recipe

    if url is not None and recipes is None:
        if name is None:
            raise Unusable("name a recipe of the service; `rewards list` lists them")
        body = ask_service("GET", f"/v1/rewards/{quote(name, safe='')}", url, api_key, TIMEOUT_S)
    else:
        body = _own_recipe(name, recipes or _default())
    print(json.dumps(body) if as_json else "\n".join(draw_recipe(body)))


def _own_recipe(name: str | None, path: Path) -> dict[str, Any]:
    """A recipe of a file, as a service describes it. Raises Unusable, and Exit where the file has faults."""
    from reward_gateway.errors import InvalidRecipe, NotFound
    from reward_gateway.recipes.book import load_book
    from reward_gateway.recipes.suggestions import did_you_mean

    text = read_recipes(path)
    try:
        models = _expected_models(None, None)
    except Unusable:
        models = None
    try:
        try:
            book = load_book(text, models)
        except InvalidRecipe:
            book = load_book(text, None)  # its models may be served elsewhere
        return book.get(name or book.default).describe()
    except NotFound:
        raise Unusable(f"{path} has no recipe {name}{did_you_mean(str(name), book.plans)}") from None
    except InvalidRecipe as error:
        for line in fault_lines(path, error.faults or [{"place": "", "path": "", "message": error.message}]):
            print(line)
        raise typer.Exit(FAULTY) from None


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="A recipe file.", show_default="the settings' one")] = None,
    any_model: Annotated[bool, typer.Option("--any-model", help="Accept unknown model names.")] = False,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Samples (.jsonl, .csv or .parquet) whose references are checked as well."),
    ] = None,
    reward: Annotated[
        str | None,
        typer.Option(
            "--reward",
            help="The recipe that reads them.",
            show_default="the file's default",
            autocompletion=complete_reward,
        ),
    ] = None,
    reference_column: Annotated[
        str, typer.Option("--reference-column", help="Column of the references.")
    ] = "reference",
    repository: Repository = None,
    upstreams: Annotated[
        Path | None,
        typer.Option("--upstreams", help="File of upstreams that recipes name.", show_default="the settings' one"),
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print faults and warnings as JSON, for editors.")] = False,
) -> None:
    """Check a recipe file as the service does at start; list every fault with file and line. Exit 1 if there are any.

    --json prints {"file", "faults": [{"line", "column", "path", "message"}], "warnings": [the same]}; line and column
    count from 1, and are null where a fault has no place.
    Warnings are listed as well. Known models are those of the repository and of the upstreams file or, with --url,
    those of the running service.
    With --data, every reference of a data set that the recipe's rules cannot read is listed with its row: each would be
    an error of its sample during the run.
    """
    path = file or _default()
    text = read_recipes(path)
    if data is not None and as_json:
        raise Unusable("--json is for the faults of a recipe file; leave out --data")
    if data is not None:
        _check_data(text, path, data, reward, reference_column)
        return
    if url is not None:
        found = _service_check(text, url, api_key)
    else:
        found = _own_check(text, None if any_model else _expected_models(repository, upstreams), _expected_judges())
    faults, warnings, summary = found
    if as_json:
        noted = {
            "faults": [_for_editors(each) for each in faults],
            "warnings": [_for_editors(each) for each in warnings],
        }
        print(json.dumps({"file": str(path), **noted}))
        if faults:
            raise typer.Exit(FAULTY)
        return
    for line in fault_lines(path, faults):
        print(line)
    for line in fault_lines(path, warnings):
        err.print(f"{line} (warning)", markup=False, soft_wrap=True)
    if faults:
        raise typer.Exit(FAULTY)
    err.print(f"{path}: {summary}, no faults", markup=False, soft_wrap=True)


def _check_data(text: str, path: Path, data: Path, reward: str | None, column: str) -> None:
    """Print the references of a data set that cannot be read. Raises Unusable, and Exit if there are any."""
    from reward_gateway.errors import InvalidRecipe, NotFound
    from reward_gateway.intake.sample_files import open_source
    from reward_gateway.recipes.book import load_book

    from .data_check import find_faults, rules_over_references
    from .progress import progress_bar

    try:
        book = load_book(text, None)
        plan = book.get(reward or book.default)
    except InvalidRecipe as error:
        raise Unusable(f"{path} has faults; check it without --data first ({error.message})") from None
    except NotFound as error:
        raise Unusable(error.message) from None
    source = open_source(data)
    if column not in source.columns():
        raise Unusable(f"{data} has no column {column}; name it with --reference-column")

    rules_over_references(plan)

    async def run() -> tuple[int, int]:
        rows = faults = 0
        with progress_bar() as progress:
            bar = progress.add_task("checking references", total=source.count())
            async for checked, found in find_faults(plan, source, column):
                rows, faults = rows + checked, faults + len(found)
                for fault in found:
                    print(f"{data}: row {fault.row}: {fault.message}")
                progress.advance(bar, checked)
        return rows, faults

    rows, faults = asyncio.run(run())
    if faults:
        err.print(f"{data}: {faults:,} of {rows:,} references cannot be read by {plan.name}", markup=False)
        raise typer.Exit(FAULTY)
    err.print(f"{data}: {rows:,} references, all of them read by {plan.name}", markup=False, soft_wrap=True)


def read_recipes(path: Path) -> str:
    """The text of a recipe file. Raises Unusable."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Unusable(f"there is no recipe file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"the recipe file {path} cannot be read ({type(error).__name__})") from None


def fault_lines(path: Path, faults: Iterable[Mapping[str, str]]) -> list[str]:
    """One line per fault, as compilers print them: ``rewards.yaml:12:5: rewards.r.combine: …``."""
    return [": ".join(filter(None, (_located(path, f["place"]), f["path"], f["message"]))) for f in faults]


def _for_editors(fault: Mapping[str, str]) -> dict[str, str | int | None]:
    """A fault with line and column as numbers from 1, None where it has no place."""
    line, column = (*map(int, re.findall(r"\d+", fault["place"])), None, None)[:2]
    return {"line": line, "column": column, "path": fault["path"], "message": fault["message"]}


def _located(path: Path, place: str) -> str:
    """``line 3, column 2`` of a file as ``FILE:3:2``."""
    return ":".join([str(path), *re.findall(r"\d+", place)])


class Checked(NamedTuple):
    """What is wrong with a recipe file, what is odd, and a summary of it."""

    faults: Sequence[dict[str, str]]
    warnings: Sequence[dict[str, str]]
    summary: str


def _own_check(text: str, models: "KnownModels | None", judges: Mapping[str, str]) -> Checked:
    from reward_gateway.errors import InvalidRecipe
    from reward_gateway.recipes.book import load_book

    try:
        book = load_book(text, models, judges=judges)
    except InvalidRecipe as error:
        return Checked(error.faults or [{"place": "", "path": "", "message": error.message}], (), "")
    summary = f"{count_of(len(book.plans), 'recipe')}, default {book.default}"
    return Checked((), [*book.warnings, *book.missing], summary)


def _service_check(text: str, url: str, api_key: str | None) -> Checked:
    answer = ask_service(
        "POST", "/v1/rewards:validate", url, api_key, CHECK_TIMEOUT_S, content=text, content_type="application/yaml"
    )
    return Checked(answer["faults"], answer.get("warnings", ()), count_of(len(answer["rewards"]), "recipe"))


def _default() -> Path:
    from .configuration import read_settings

    return read_settings().rewards_file


def upstream_models(file: Path | None) -> "KnownModels":
    """The models of an upstreams file, whose servers need not run. Raises UpstreamsFileError."""
    from reward_gateway.backends.upstreams.file import load_upstreams

    from .fallback_checks import describe_upstreams

    return describe_upstreams(load_upstreams(file))


def judge_fallbacks(file: Path | None) -> dict[str, str]:
    """The fallback of each judge of a file that has one. Raises JudgesFileError."""
    from reward_gateway.backends.judges.config import load_judges

    return {judge.name: judge.fallback for judge in load_judges(file) if judge.fallback is not None}


def _expected_judges() -> dict[str, str]:
    """The fallbacks of the settings' judges. Raises Unusable if their file cannot be read."""
    from reward_gateway.backends.judges.config import JudgesFileError

    from .configuration import read_settings

    try:
        return judge_fallbacks(file := read_settings().judges_file)
    except JudgesFileError as error:
        raise Unusable(f"{file}: {error}") from None


def _expected_models(named: Path | None, upstreams_file: Path | None) -> "KnownModels":
    """The models of the repository and of the upstreams. Raises Unusable if one of the two cannot be read."""
    from reward_gateway.backends.triton.repository import models_of_repository
    from reward_gateway.backends.upstreams.file import UpstreamsFileError
    from reward_gateway.recipes.known_models import known_models

    from .configuration import read_settings

    try:
        folder = repository_folder(named)
    except Unusable as error:
        raise Unusable(f"{error}, a running service with --url, or pass --any-model") from None
    try:
        upstreams = upstream_models(file := upstreams_file or read_settings().upstreams_file)
    except UpstreamsFileError as error:
        raise Unusable(f"{file}: {error}") from None
    return {**known_models(models_of_repository(folder)), **upstreams}


def _row(row: dict[str, object]) -> list[str]:
    traits = [trait for trait in ("grouped", "stateful") if row[trait]] + [str(row["returns"])]
    cells = {**row, "traits": traits}
    return [", ".join(map(str, v)) if isinstance(v := cells[c], list) else str(v or "") for c in COLUMNS]
