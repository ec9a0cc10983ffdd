"""Output of the commands: results on standard output, everything else on standard error."""

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated
from urllib.parse import urlsplit

import structlog
import typer
from rich.console import Console
from rich.table import Table

from reward_gateway.address import add_scheme

FAULTY, UNUSABLE, REFUSED, INTERRUPTED = 1, 2, 3, 130
EXIT_CODES = {
    0: "success",
    FAULTY: "faults were found, or the stack failed to run",
    UNUSABLE: "invalid arguments, or a file that cannot be used",
    REFUSED: "the service cannot be reached or rejected the request",
    INTERRUPTED: "interrupted",
}
"""What each exit code of a command means."""

TIMEOUT_S = 5.0
"""Timeout of listings, in seconds."""

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)


def _checked_address(url: str | None) -> str | None:
    """The address, with ``http://`` where it has no scheme. Raises BadParameter unless it has a supported scheme, a
    host and a port that exists."""
    if url is not None:
        url = add_scheme(url)
    if url is not None and not url.startswith(("http://", "https://", "grpc://", "grpcs://")):
        scheme, known, rest = url.partition("://")
        address = rest if known else scheme
        raise typer.BadParameter(f"{url} must begin with http://, https:// or grpc://; write http://{address}")
    if url is not None and not _names_host(url):
        raise typer.BadParameter(f"{url} must name a host, and a port up to 65535: http://HOST:PORT")
    path = "" if url is None or url.startswith("http") else url.partition("://")[2].rstrip("/").partition("/")[2]
    if path and not re.fullmatch("run/[^/]+", path):
        raise typer.BadParameter(f"the path of a gRPC address names a run (/run/NAME) or is left out, not /{path}")
    return url


def _names_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        callback=_checked_address,
        envvar="REWARD_GATEWAY_URL",
        help="Address of a running service (http:// or grpc://; without either, http://).",
        show_default=False,
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option("--api-key", envvar="REWARD_GATEWAY_API_KEY", help="API key of the service, if it requires one."),
]
Run = Annotated[
    str | None,
    typer.Option(
        "--run",
        envvar="REWARD_GATEWAY_RUN",
        help="Training run, to which cohorts, streams and archives belong.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


class Unusable(Exception):
    """A file or argument cannot be used; the message says what to do."""


def log_to_stderr() -> None:
    """Send what the service's own parts log while a command runs to standard error, where results do not stand."""
    structlog.reset_defaults()  # of whatever ran in this process before, nothing is mixed with it
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def print_error(sentence: str) -> None:
    """Print one sentence to standard error."""
    err.print(f"reward-gateway: {sentence}", style="red", markup=False, soft_wrap=True)


def without_password(url: str) -> str:
    """An address as it may be printed or written to a file: without user and password."""
    scheme, _, address = url.partition("://")
    return f"{scheme}://{address.rpartition('@')[2].rstrip('/')}"


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows to standard output: a table on a terminal, tab-separated lines otherwise."""
    if not out.is_terminal:
        for row in rows:
            print("\t".join(row))
        return
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    out.print(table)
