"""The progress bar of commands that go through a file."""

import contextlib
from collections.abc import Iterator

from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from .output import err


class _Rate(ProgressColumn):
    """Rows per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="progress.data.speed")


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show what is waited for, and since when, on a terminal: for what tells nothing of its progress."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as shown:
        shown.add_task(escape(what), total=None)
        yield


def progress_bar(*, kept: bool = True) -> Progress:
    """A bar on standard error, with rows, rate and time.

    Args:
        kept: it stays when it is done, and stands in a log as well; else only a terminal shows it, meanwhile.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=not kept,
        disable=not kept and not err.is_terminal,
    )
