"""``samples``: samples that a running service kept: list, mark, export as preference pairs, delete."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

import typer

from reward_gateway.counted import count_of

from .output import TIMEOUT_S, ApiKey, AsJson, Unusable, Url, err, print_table
from .service import ask_service, fetch_from_service
from .whole_files import write_whole

app = typer.Typer(
    help="""Samples that the service kept (serve --keep-samples 10000), with the right admin: a choice by chance,
    and the extremes of each recipe.
    """,
    no_args_is_help=True,
)

READ_S = 120.0
"""Timeout of reading samples, in seconds."""

PAGE = 500

WIDTH = 60
"""Characters of a text in the table."""

Kind = Literal["reservoir", "top", "bottom", "flagged", "invalid", "spread", "disagreement"]

Run = Annotated[
    str | None,
    typer.Option("--run", help='Of a training run; "": of requests that named none.', show_default="any"),
]
Recipe = Annotated[str | None, typer.Option("--recipe", help="Scored by a recipe.", show_default="any")]
KindOption = Annotated[Kind | None, typer.Option("--kind", help="Kept for this reason.", show_default="any")]
Flags = Annotated[str | None, typer.Option("--flags", help="With these flags, comma separated.", show_default="any")]
MarkOption = Annotated[
    Literal["good", "bad", "hack", "unmarked"] | None, typer.Option("--mark", help="So marked.", show_default="any")
]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Of one caller.", show_default="any")]


@app.command("list")
def list_samples(
    url: Url = None,
    api_key: ApiKey = None,
    run: Run = None,
    recipe: Recipe = None,
    kind: KindOption = None,
    flags: Flags = None,
    mark: MarkOption = None,
    tenant: Tenant = None,
    sort: Annotated[
        Literal["newest", "highest", "lowest", "spread", "disagreement"],
        typer.Option("--sort", help="First."),
    ] = "newest",
    most: Annotated[int, typer.Option("--most", min=1, help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List samples; --json has them whole."""
    filters = {"run": run, "recipe": recipe, "kind": kind, "flags": flags, "mark": mark, "tenant": tenant}
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None and len(rows) < most:
        query = _query(limit=min(PAGE, most - len(rows)), cursor=cursor or None, sort=sort, **filters)
        page = ask_service("GET", f"/v1/samples?{query}", url, api_key, READ_S)
        rows, cursor = rows + page["samples"], page["cursor"]
    if as_json:
        print(json.dumps(rows))
        return
    print_table(
        ("id", "scored (UTC)", "run", "recipe", "reward", "kinds", "mark", "response"),
        (
            (
                row["id"],
                datetime.fromtimestamp(row["t"], UTC).strftime("%m-%d %H:%M:%S"),
                row["run"] or "no run",
                row["recipe"],
                _format_reward(row),
                ", ".join(row["kinds"]),
                row["mark"] or "",
                _shorten(row["response"]),
            )
            for row in rows
        ),
    )


@app.command()
def mark(
    sample: Annotated[str, typer.Argument(help="Id of the sample.", show_default=False)],
    mark: Annotated[Literal["good", "bad", "hack", "none"], typer.Argument(help="The mark; none takes it away.")],
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Mark a sample as good, bad, or a hack: a reward that it does not deserve."""
    content = json.dumps({"mark": None if mark == "none" else mark})
    ask_service("PUT", f"/v1/samples/{quote(sample, safe='')}/mark", url, api_key, TIMEOUT_S, content=content)
    err.print(f"{sample}: {mark}", markup=False)


@app.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="JSONL file to write.")],
    url: Url = None,
    api_key: ApiKey = None,
    run: Run = None,
    recipe: Recipe = None,
    kind: KindOption = None,
    flags: Flags = None,
    mark: MarkOption = None,
    tenant: Tenant = None,
    min_margin: Annotated[
        float,
        typer.Option("--min-margin", min=0.0, help="Least difference of rewards, where no marks make a pair."),
    ] = 0.0,
) -> None:
    """Write preference pairs: within a prompt what is marked good against what is marked bad or hack, else the highest
    reward against the lowest.
    """
    query = _query(
        run=run, recipe=recipe, kind=kind, flags=flags, mark=mark, tenant=tenant, min_margin=min_margin or None
    )
    lines = fetch_from_service("GET", f"/v1/samples/pairs?{query}", url, api_key, READ_S)
    write_whole(out, lines)
    count = lines.count(b"\n")
    err.print(f"{count:,} pairs in {out}", markup=False, soft_wrap=True)


@app.command()
def delete(
    sample: Annotated[str | None, typer.Argument(help="Id of the sample.", show_default="those of --run")] = None,
    url: Url = None,
    api_key: ApiKey = None,
    run: Run = None,
    tenant: Tenant = None,
) -> None:
    """Delete a sample, or all of a run or of a caller."""
    if sample is None and run is None and tenant is None:
        raise Unusable("name the sample, or --run or --tenant")
    query = _query(id=sample, run=run, tenant=tenant)
    deleted = ask_service("DELETE", f"/v1/samples?{query}", url, api_key, READ_S)["deleted"]
    err.print(f"{count_of(deleted, 'sample')} deleted", markup=False)


def _query(**named: str | int | float | None) -> str:
    return urlencode({name: value for name, value in named.items() if value is not None})


def _format_reward(row: dict[str, Any]) -> str:
    reward = row["reward"] if row["reward_raw"] is None else row["reward_raw"]
    return "–" if reward is None else f"{reward:.4g}"


def _shorten(response: Any) -> str:
    text = response if isinstance(response, str) else json.dumps(response, ensure_ascii=False)
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
