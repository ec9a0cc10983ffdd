"""What the commands say and where: answers to standard output, everything else to standard error."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

FAULTY, UNUSABLE, REFUSED, INTERRUPTED = 1, 2, 3, 130
TIMEOUT_S = 5.0
"""How long a listing waits for a service that is not there."""

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)


def _checked_address(url: str | None) -> str | None:
    """An address with its scheme; anything else is refused before a connection is tried."""
    if url is not None and not url.startswith(("http://", "https://", "grpc://", "grpcs://")):
        scheme, known, rest = url.partition("://")
        address = rest if known else scheme
        raise typer.BadParameter(f"{url} has to begin with http://, https:// or grpc://; write http://{address}")
    return url


Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        callback=_checked_address,
        envvar="REWARD_GATEWAY_URL",
        help="Address of a running service (http:// or grpc://).",
        show_default=False,
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option("--api-key", envvar="REWARD_GATEWAY_API_KEY", help="Key of the service, where it asks for one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]


class Unusable(Exception):
    """A file or an argument cannot be used; the message says what to do."""


def print_error(sentence: str) -> None:
    """One sentence to standard error."""
    err.print(f"reward-gateway: {sentence}", style="red", markup=False, soft_wrap=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows to standard output: a table on a terminal, tab-separated lines for a program."""
    if not out.is_terminal:
        for row in rows:
            print("\t".join(row))
        return
    made = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        made.add_row(*row)
    out.print(made)
