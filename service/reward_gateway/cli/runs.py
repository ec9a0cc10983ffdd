"""``runs``: the history of training runs of a running service: list, show, write a report, forget."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

import typer

from reward_gateway.counted import count_of

from .output import TIMEOUT_S, ApiKey, AsJson, Url, err, out, print_table
from .service import ask_service
from .whole_files import write_whole

app = typer.Typer(
    help="""The history of training runs: what the rewards of each were like, by minute, hour and step.

    A run is what X-Run (or /run/NAME/ before a path, or run= of the client) names; "" are requests that named none.
    """,
    no_args_is_help=True,
)

READ_S = 60.0
"""Timeout of reading a run's rows, in seconds."""

POINTS = 60
"""Characters of a line of sparks."""

_SPARKS = "▁▂▃▄▅▆▇█"

Tenant = Annotated[
    str | None,
    typer.Option("--tenant", help="Whose runs; another tenant's needs the right admin.", show_default="the key's"),
]
RunName = Annotated[str, typer.Argument(help='Name of the run; "" for requests that named none.', show_default=False)]
BucketOption = Annotated[
    Literal["minute", "hour", "step"],
    typer.Option("--bucket", help="What a row is of: a minute (of a day), an hour (of thirty days), or a step."),
]


@app.command("list")
def list_runs(url: Url = None, api_key: ApiKey = None, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List the runs, the one seen last first; with the right admin and without --tenant, those of all tenants."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = ask_service("GET", f"/v1/runs?{_query(limit=1000, cursor=cursor, tenant=tenant)}", url, api_key, READ_S)
        rows, cursor = rows + page["runs"], page["cursor"]
    if as_json:
        print(json.dumps(rows))
        return
    print_table(
        ("run", "caller", "samples", "without reward", "last seen (UTC)", "recipes"),
        (
            (
                row["run"] or "no run",
                row["caller"],
                f"{row['samples']:,}",
                f"{row['invalid']:,}",
                _when(row["last_seen"]),
                ", ".join(row["rewards"]),
            )
            for row in rows
        ),
    )


@app.command()
def show(
    run: RunName,
    url: Url = None,
    api_key: ApiKey = None,
    tenant: Tenant = None,
    bucket: BucketOption = "step",
    as_json: AsJson = False,
) -> None:
    """Show a run: the newest row of each recipe, and how its mean went."""
    told = _read(run, bucket, url, api_key, tenant)
    if as_json:
        print(json.dumps(told))
        return
    out.print(f"{count_of(told['samples'], 'sample')}, {told['invalid']:,} without a reward", markup=False)
    for recipe, found in told["rewards"].items():
        out.print(f"\n{recipe}", style="bold", markup=False)
        if not found["series"]:
            out.print(f"  no rows of a {bucket}{': no request named a step' if bucket == 'step' else ''}")
            continue
        for label, line, last in _describe_series(found["series"]):
            out.print(f"  {label:<24} {line}  {last}", markup=False, soft_wrap=True)


@app.command()
def report(
    run: RunName,
    html: Annotated[Path, typer.Option("--html", help="File to write; it opens without a network.")],
    url: Url = None,
    api_key: ApiKey = None,
    tenant: Tenant = None,
    bucket: BucketOption = "step",
) -> None:
    """Write a run's charts as one HTML file."""
    from reward_gateway.lab.page.run import render_run

    write_whole(html, render_run(_read(run, bucket, url, api_key, tenant)).encode("utf-8", "replace"))
    err.print(f"report in {html}", markup=False, soft_wrap=True)


@app.command()
def forget(run: RunName, url: Url = None, api_key: ApiKey = None, tenant: Tenant = None) -> None:
    """Remove a run's history (right state). Its state stays: see reward-gateway state reset-run."""
    ask_service("DELETE", f"/v1/runs/{quote(run, safe='')}?{_query(tenant=tenant)}", url, api_key, TIMEOUT_S)
    err.print(f"{run or 'no run'}: forgotten", markup=False)


def draw_sparks(values: Sequence[float | None], width: int = POINTS) -> str:
    """The newest values as a line of bars from the least to the greatest; a missing one is a blank."""
    shown = list(values)[-width:]
    numbers = [value for value in shown if value is not None]
    if not numbers:
        return ""
    low, span = min(numbers), max(numbers) - min(numbers)
    return "".join(
        " " if value is None else _SPARKS[round((value - low) / span * (len(_SPARKS) - 1)) if span else 0]
        for value in shown
    )


def _describe_series(series: Sequence[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Lines of what a recipe's rows say: a label, the sparks, and the newest value."""
    columns: dict[str, list[float | None]] = {"mean": [row["mean"] for row in series]}
    columns["std"] = [row["std"] for row in series]
    for name in dict.fromkeys(name for row in series for name in row["components"]):
        columns[name] = [row["components"].get(name, {}).get("mean") for row in series]
    columns["groups without variance"] = [row["zero_variance_share"] for row in series]
    columns["correlation with length"] = [row["length_correlation"] for row in series]
    return [
        (label, draw_sparks(values), "–" if values[-1] is None else f"{values[-1]:.4g}")
        for label, values in columns.items()
        if any(value is not None for value in values)
    ]


def _read(run: str, bucket: str, url: str | None, api_key: str | None, tenant: str | None) -> dict[str, Any]:
    path = f"/v1/runs/{quote(run, safe='')}?{_query(bucket=bucket, tenant=tenant)}"
    return ask_service("GET", path, url, api_key, READ_S)


def _query(**named: str | int | None) -> str:
    return urlencode({name: value for name, value in named.items() if value is not None and value != ""})


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
