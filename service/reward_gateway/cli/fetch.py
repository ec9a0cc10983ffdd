"""``models fetch``: a model from a folder, an object store, a web server or the hub, whole and checked, before a server
starts: what the init containers of the Helm chart run."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from .output import FAULTY, REFUSED, UNUSABLE, AsJson, Unusable, err, print_error

if TYPE_CHECKING:
    from reward_gateway.model_sources.fetch import Report

TELL_S = 10.0
"""Seconds between lines that tell of progress where nobody sees a bar."""

_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def fetch(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder, an archive or a file; s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, https://HOST/PATH, or "
            "hf://ORG/NAME@COMMIT.",
            show_default=False,
        ),
    ],
    into: Annotated[Path, typer.Option("--into", help="Folder in which the model appears, as INTO/NAME.")],
    name: Annotated[str, typer.Option("--name", help="Name of the model. If omitted: the source's last part.")] = "",
    kind: Annotated[
        str, typer.Option("--kind", help="What it must be: model (Triton's), repository or checkpoint.")
    ] = "",
    sha256: Annotated[str, typer.Option("--sha256", help="SHA-256 of the file or archive, or of the folder.")] = "",
    manifest: Annotated[
        str, typer.Option("--manifest", help="File or address of a SHA256SUMS that lists the model's files.")
    ] = "",
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Folder that several machines share; INTO/NAME is then a link into it."),
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy from the cache in place of a link.")] = False,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File with the token for the hub or the web server.")
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option("--include", help="Only files that match, such as *.safetensors. Repeatable.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="No files that match, such as *.bin. Repeatable.")
    ] = None,
    allow_unpinned: Annotated[
        bool, typer.Option("--allow-unpinned", help="Accept a source that can change under its name.")
    ] = False,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Accept files that are pickles, which run code when they are read.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare a model that is there already with its checksums.")
    ] = False,
    max_size: Annotated[str, typer.Option("--max-size", help="Largest model, such as 20GiB.")] = "500GiB",
    timeout_s: Annotated[
        float, typer.Option("--timeout-s", min=0.1, help="Seconds without a byte after which an attempt has failed.")
    ] = 60.0,
    attempts: Annotated[
        int, typer.Option("--attempts", min=1, help="Maximum attempts in a row that get no further.")
    ] = 5,
    wait_s: Annotated[
        float, typer.Option("--wait-s", min=0, help="Seconds to wait for another process that fetches the same model.")
    ] = 3600.0,
    as_json: AsJson = False,
) -> None:
    """Fetch a model from outside: whole and checked in INTO/NAME, or not at all.

    A second time it is found there, and nothing is asked. An interrupted transfer goes on where it ended. Credentials
    come from the environment: HF_TOKEN, AWS_ACCESS_KEY_ID, GOOGLE_SERVICE_ACCOUNT, REWARD_GATEWAY_FETCH_TOKEN.
    """
    from reward_gateway.model_sources.failures import ContentRefused, SourceFailed, SourceUnusable
    from reward_gateway.model_sources.fetch import Kind, Request, fetch_model
    from reward_gateway.model_sources.reader import Limits

    if kind not in ("", "model", "repository", "checkpoint"):
        raise Unusable("--kind must be model, repository or checkpoint")
    request = Request(
        source,
        into,
        name,
        cast("Kind", kind),
        sha256,
        manifest,
        cache,
        copy,
        _read_token(source, token_file),
        include or (),
        exclude or (),
        allow_unpinned,
        allow_pickle,
        verify,
        _read_size(max_size),
        Limits(timeout_s, attempts),
        wait_s,
    )
    try:
        with _reporting() as report:
            fetched = fetch_model(request, report)
    except SourceUnusable as error:
        print_error(str(error))
        raise typer.Exit(UNUSABLE) from None
    except SourceFailed as error:
        print_error(str(error))
        raise typer.Exit(REFUSED) from None
    except ContentRefused as error:
        print_error(str(error))
        raise typer.Exit(FAULTY) from None
    if as_json:
        facts = {"folder": str(fetched.folder), "source": fetched.source, "files": fetched.files}
        print(json.dumps(facts | {"bytes": fetched.bytes, "sha256": fetched.sha256, "was_there": fetched.was_there}))
    else:
        print(fetched.folder)


def _read_token(source: str, file: Path | None) -> str:
    if file is None:
        return "" if source.startswith("hf://") else os.environ.get("REWARD_GATEWAY_FETCH_TOKEN", "")
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"--token-file {file} cannot be read ({type(error).__name__})") from None


def _read_size(text: str) -> int:
    number = text.rstrip("KMGTiB")
    unit = text[len(number) :]
    if unit not in _UNITS or not number.isdecimal():
        raise Unusable(f"--max-size must be a number of bytes, KiB, MiB, GiB or TiB, such as 20GiB, not {text!r}")
    return int(number) * _UNITS[unit]


@contextmanager
def _reporting() -> "Iterator[Report]":
    """Tells of progress: by a bar on a terminal, else by a line now and then."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    told = time.monotonic()
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True, disable=not err.is_terminal) as shown:
        task = shown.add_task("", total=None)

        def report(what: str, done: int, size: int | None) -> None:
            nonlocal told
            shown.update(task, description=what[:60], completed=done, total=size)
            if not err.is_terminal and time.monotonic() - told >= TELL_S:
                told = time.monotonic()
                err.print(f"{what}: {done:,} of {f'{size:,}' if size is not None else 'unknown'} bytes", markup=False)

        yield report
