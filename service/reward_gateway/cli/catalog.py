"""``catalog``: every operation that recipes can use."""

import json
from typing import Annotated

import typer

from reward_gateway.recipes.suggestions import did_you_mean

from .completion import complete_kind
from .output import TIMEOUT_S, ApiKey, AsJson, Unusable, Url, print_table

KINDS = ("score", "transform", "combine", "credit", "audit")


def catalog(
    kind: Annotated[
        str | None,
        typer.Option(help="Only score, transform, combine, credit or audit.", autocompletion=complete_kind),
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """List the operations of a running service (--url) or of this installation."""
    if kind is not None and kind not in KINDS:
        raise Unusable(f"there is no kind {kind!r} of operations{did_you_mean(kind, KINDS)}")
    rows = [row for row in _rows(url, api_key) if kind in (None, row["kind"])]
    if as_json:
        print(json.dumps(rows))
        return
    columns = ("kind", "name", "fidelity", "summary")
    print_table(columns, ([str(row[column]) for column in columns] for row in rows))


def _rows(url: str | None, api_key: str | None) -> list[dict[str, object]]:
    if url is None:
        from reward_gateway.operations.registry import catalog as installed

        return [operation.catalog_entry() for operation in installed()]
    from reward_gateway.client import RewardClient

    with RewardClient(url, api_key=api_key, timeout_s=TIMEOUT_S) as client:
        return client.catalog()
