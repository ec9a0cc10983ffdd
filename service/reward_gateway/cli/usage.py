"""``usage``: what API keys had scored by a running service, by day, and what is left of their budgets."""

import csv
import json
import sys
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from .output import ApiKey, AsJson, Unusable, Url, print_table
from .service import ask_service

READ_S = 60.0
"""Timeout in seconds."""

COLUMNS = ("day", "tenant", "key", "requests", "samples", "invalid", "cache_hits", "model_calls")


def usage(
    first: Annotated[
        str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="The first day (UTC).", show_default="today")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="The last day (UTC).", show_default="today")
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV, with a header.")] = False,
) -> None:
    """Show what API keys had scored, by day; all keys with the right admin, else the key that asks."""
    if as_json and as_csv:
        raise Unusable("name one of --json and --csv")
    for name, day in (("--from", first), ("--to", last)):
        _check_day(name, day)
    asked = {name: day for name, day in (("from", first), ("to", last)) if day is not None}
    report = ask_service("GET", f"/v1/usage?{urlencode(asked)}" if asked else "/v1/usage", url, api_key, READ_S)
    if as_json:
        print(json.dumps(report))
        return
    rows: list[dict[str, Any]] = report["rows"]
    if as_csv:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return
    print_table(
        tuple(column.replace("_", " ") for column in COLUMNS),
        ([f"{row[name]:,}" if isinstance(row[name], int) else str(row[name]) for name in COLUMNS] for row in rows),
    )
    for budget in report["budgets"]:
        spent = "unknown" if budget["spent"] is None else f"{budget['spent']:,}"
        of_all = f"{spent} of {budget['budget']:,} samples spent today (UTC)"
        print(f"budget of {budget['tenant']}: {of_all}", file=sys.stderr)


def _check_day(name: str, day: str | None) -> None:
    try:
        if day is not None:
            date.fromisoformat(day)
    except ValueError:
        raise Unusable(f"{name} must be a day such as 2026-01-31") from None
