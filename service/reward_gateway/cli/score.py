"""``score FILE``: score all rows of a file with a running service."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from reward_gateway.errors import GatewayError
from reward_gateway.sample.fields import FIELDS

from .completion import complete_reward
from .output import INTERRUPTED, ApiKey, Run, Unusable, Url, err, out, print_error
from .termination import until_terminated

_FIELDS = ("prompt", "response", "reference", "group", "id")


def _column(name: str, what: str) -> Any:
    return typer.Option(f"--{name}-column", help=f"Column of the {what}.", show_default=f"{name}, if there is one")


def score(
    file: Annotated[Path, typer.Argument(help="Samples: .jsonl, .csv or .parquet.")],
    reward: Annotated[
        str | None,
        typer.Option(
            "--reward", help="Name of the recipe.", show_default="the service's", autocompletion=complete_reward
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--out", help="Output, of the same format.", show_default="FILE.scored.…")
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    training_run: Run = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=4096, help="Samples per request.")] = 256,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=64, help="Concurrent requests.")] = 4,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Timeout per request in seconds, retries included.")
    ] = 600.0,
    prefix: Annotated[str, typer.Option("--prefix", help="Prefix of the names of the new columns.")] = "",
    components: Annotated[
        bool, typer.Option("--components/--no-components", help="Add the columns of the components.")
    ] = True,
    chat_format: Annotated[
        str | None,
        typer.Option(
            "--chat-format",
            help="Prompts and responses were rendered by a chat template; read them back: auto, recipe, or a format's "
            "name.",
            show_default="they are taken as they are",
        ),
    ] = None,
    prompt_column: Annotated[str | None, _column("prompt", "prompts")] = None,
    response_column: Annotated[str | None, _column("response", "responses")] = None,
    reference_column: Annotated[str | None, _column("reference", "ground truths")] = None,
    group_column: Annotated[str | None, _column("group", "groups")] = None,
    id_column: Annotated[str | None, _column("id", "ids")] = None,
) -> None:
    """Score a file of samples.

    The output has the file's columns and the new columns reward, valid, error, component.NAME and
    component.NAME.raw. Run the same command again to resume a run that was stopped; OUT.run.json records how it was
    started, and a different recipe, recipe version, model version, service or option is refused. Other fields of
    a sample (images, steps and all others of POST /v1/score) are read by name from .jsonl and .parquet files; an image
    may be base64, a URL, {"path": FILE} relative to the file of samples, or {"bytes": …} in .parquet.
    """
    from reward_gateway.intake.sample_files import open_source

    from .histogram import summarize
    from .run_record import RunRecord
    from .scoring import FileRun
    from .sinks import open_sink

    source = open_source(file)
    given = dict(zip(_FIELDS, (prompt_column, response_column, reference_column, group_column, id_column), strict=True))
    fields = map_columns(source.columns(), given)
    target = to or file.with_name(f"{file.stem}.scored{file.suffix}")
    sink = open_sink(source, target)
    record = RunRecord(target, resumed=sink.begun)
    run = FileRun(source, sink, fields, reward, batch, concurrency, timeout_s, prefix, components, record, chat_format)
    try:
        tally = asyncio.run(until_terminated(run.score_file(url, api_key, training_run)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print_error(
            f"stopped after {run.tally.rows:,} rows; run the same command again to resume"
            if run.tally.rows
            else "stopped before the first row was scored; nothing was written"
        )
        raise typer.Exit(INTERRUPTED) from None
    except GatewayError:
        if run.tally.rows:
            err.print(f"{run.tally.rows:,} rows are kept; run the same command again to resume")
        raise
    except OSError as error:  # a full disk, or a folder that was removed: the service's faults are GatewayErrors
        kept = f"; {run.tally.rows:,} rows are kept, run the same command again to resume" if run.tally.rows else ""
        raise Unusable(f"{target} cannot be written to ({error.strerror}){kept}") from None
    out.print(summarize(run.reward or "default", tally.rewards, tally.reasons))
    err.print(f"{tally.rows:,} rows in {target}", markup=False, soft_wrap=True)


def map_columns(columns: list[str], given: dict[str, str | None]) -> dict[str, str]:
    """Field of a sample -> column of the file. Raises Unusable for a missing column."""
    for field_name, column in given.items():
        if column is not None and column not in columns:
            raise Unusable(f"the file has no column {column} (--{field_name}-column); it has: {', '.join(columns)}")
    fields = {name: column or name for name, column in given.items() if column is not None or name in columns}
    if columns and "response" not in fields and not {field.name for field in FIELDS if field.scored} & {*columns}:
        raise Unusable(
            f"which column holds the responses? Name it with --response-column; columns: {', '.join(columns)}"
        )
    return fields
