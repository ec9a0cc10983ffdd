"""``models evaluate``: measure models on held-out data and compare with a baseline, targets and their cards."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from reward_gateway import extras

from .output import FAULTY, AsJson, Unusable, err, out, print_error, print_table
from .progress import progress_bar
from .repository import Repository, wanted
from .repository import folder as folder_of

if TYPE_CHECKING:
    from reward_models.evaluate import Part, Row, Subject

COLUMNS = ("model", "measured on", "n", "figure", "found", "baseline", "target", "card", "verdict")


def evaluate(
    names: Annotated[list[str] | None, typer.Argument(help="Names of models.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every model of the repository.")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder with the public datasets that some measurements need.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the measured figures to evaluation.json and the card.")
    ] = False,
    repository: Repository = None,
    as_json: AsJson = False,
) -> None:
    """Measure models on data they were never trained on. Exit 1 if a figure differs from its card.

    A model is loaded as Triton loads it. A measurement whose data is missing is skipped; its row names the data it
    needs and shows the card's figure.
    """
    with extras.needed():
        from reward_models.evaluate import Subject, count_parts, measure_model, write_figures
    from reward_models.repository import RepositoryError

    if every == bool(names):
        raise Unusable("name the models to measure, or give --all")
    if data is not None and not data.is_dir():
        raise Unusable(f"there is no folder {data}")
    folder = folder_of(repository)
    rows: list[Row] = []
    failed = False
    with progress_bar(kept=False) as progress:
        show = _Shown(progress)
        for name in (chosen := wanted(names, folder)):
            with suppress(RepositoryError):  # told below, where it is measured
                show.expects(count_parts(Subject(name, folder), data))
        for name in chosen:
            try:
                subject = Subject(name, folder, show.advance)
                found_rows, found = measure_model(subject, data, show.starts(subject))
            except RepositoryError as error:
                print_error(str(error))
                failed = True
                continue
            rows += found_rows
            if write and found:
                write_figures(subject.folder, found)
    _print(rows, as_json)
    if failed or any(row.faulty for row in rows):
        raise typer.Exit(FAULTY)


class _Shown:
    """Progress display: measurements that are finished, and the rows of the one under way."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("measuring", total=0)
        self._begun = self._rows = self._total = 0
        self._what = "measuring"

    def expects(self, parts: int) -> None:
        """Count on further measurements."""
        self._total += parts
        self._progress.update(self._task, total=self._total)

    def starts(self, subject: "Subject") -> Callable[["Part"], None]:
        """A callback for the start of each measurement of a model."""

        def part_starts(part: "Part") -> None:
            if not self._progress.console.is_terminal:
                err.print(f"{subject.name}: {part.name}", markup=False)
            self._what, self._rows = escape(f"{subject.name}: {part.name}"), 0
            self._progress.update(self._task, description=self._what, completed=self._begun)
            self._begun += 1

        return part_starts

    def advance(self, rows: int) -> None:
        """Add rows that were scored to the measurement under way."""
        self._rows += rows
        self._progress.update(self._task, description=f"{self._what}, {self._rows:,} rows")


def _print(rows: list["Row"], as_json: bool) -> None:
    if as_json:
        print(json.dumps([row.plain() for row in rows]))
        return
    cells = [_cells(row) for row in rows]
    if not out.is_terminal:
        print_table(COLUMNS, cells)
        return
    table = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False)
    for row, line in zip(rows, cells, strict=True):
        style = "red" if row.faulty else "dim" if row.found is None else None
        table.add_row(*line, style=style)
    out.print(table)


def _cells(row: "Row") -> list[str]:
    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    count = "" if row.count is None else str(row.count)
    numbers = [number(row.found), number(row.baseline), row.target, number(row.claimed)]
    return [row.model, row.part, count, row.figure, *numbers, row.verdict]
