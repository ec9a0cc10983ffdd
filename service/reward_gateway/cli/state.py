"""``state``: what a running service keeps beyond a request: list, show, reset, move, accept its loss."""

import json
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from .output import TIMEOUT_S, ApiKey, AsJson, Run, Url, err, print_table
from .service import ask_service

app = typer.Typer(
    help="""Named state of a running service: running moments, coefficients, archives, references, labels and sets.

    What scoring writes (moments, coefficients, archives, cohorts, queues of messages to label) belongs to a tenant and
    one of its runs. References, labels and sets are uploaded, and belong to the tenant, for all its runs; calibrations
    are the sets calibrations/NAME. A name that begins with tenant/ (a stream "tenant/rewards", say) is shared by all
    runs of the tenant. The tenant is that of the API key (tenant: in the keys file, else the key's name), and
    "anonymous" without keys; the run is that of --run.
    """,
    no_args_is_help=True,
)

Tenant = Annotated[
    str | None,
    typer.Option("--tenant", help="Whose state; another tenant's needs the right admin.", show_default="the key's"),
]
Kind = Annotated[
    str, typer.Argument(help="moments, coefficients, references, archives, labels or sets.", show_default=False)
]
Name = Annotated[str, typer.Argument(help="Name of the state.", show_default=False)]


@app.command("list")
def list_state(
    url: Url = None, api_key: ApiKey = None, run: Run = None, tenant: Tenant = None, as_json: AsJson = False
) -> None:
    """List every name that a run reads, with its owner.

    The owner is the run; the tenant, for all its runs; or "legacy": stored by a version without namespaces, and read
    until the run or the tenant first writes the name.
    """
    rows: list[dict[str, Any]] = ask_service("GET", _path("", run, tenant), url, api_key, TIMEOUT_S)["state"]
    if as_json:
        print(json.dumps(rows))
        return
    columns = ("kind", "name", "version", "owner")
    print_table(columns, ([str(row[column]) for column in columns] for row in rows))


@app.command("runs")
def list_runs(url: Url = None, api_key: ApiKey = None, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List the runs for which scoring has written state that was not reset since; "" are requests that named no run."""
    kinds: dict[str, set[str]] = {}
    cursor: str | None = ""
    while cursor is not None:
        given = {name: value for name, value in (("tenant", tenant), ("cursor", cursor)) if value}
        path = f"/v1/state:runs?{urlencode({'limit': 1000, **given})}"
        answer = ask_service("GET", path, url, api_key, TIMEOUT_S)
        for row in answer["runs"]:
            kinds.setdefault(row["run"], set()).update(row["kinds"])
        cursor = answer["cursor"]
    rows = [(run, sorted(of_run)) for run, of_run in sorted(kinds.items())]
    if as_json:
        print(json.dumps([{"run": run, "kinds": of_run} for run, of_run in rows]))
        return
    print_table(("run", "kinds"), ((run or '""', ", ".join(of_run)) for run, of_run in rows))


@app.command()
def show(
    kind: Kind, name: Name, url: Url = None, api_key: ApiKey = None, run: Run = None, tenant: Tenant = None
) -> None:
    """Print one value as JSON, which PUT /v1/state/KIND/NAME takes back."""
    print(json.dumps(ask_service("GET", _path(f"/{kind}/{name}", run, tenant), url, api_key, TIMEOUT_S)))


@app.command()
def reset(
    kind: Kind, name: Name, url: Url = None, api_key: ApiKey = None, run: Run = None, tenant: Tenant = None
) -> None:
    """Delete one name; its next use starts empty."""
    ask_service("DELETE", _path(f"/{kind}/{name}", run, tenant), url, api_key, TIMEOUT_S)
    err.print(f"{kind} {name}: reset", markup=False)


@app.command("reset-run")
def reset_run(
    run: Annotated[str, typer.Argument(help="Training run that has ended.", show_default=False)],
    url: Url = None,
    api_key: ApiKey = None,
    tenant: Tenant = None,
) -> None:
    """Delete all that scoring wrote for one run. What was uploaded stays, and what the tenant's runs share."""
    rows = ask_service("DELETE", _path("", run, tenant), url, api_key, TIMEOUT_S)["reset"]
    print_table(("kind", "name"), ((row["kind"], row["name"]) for row in rows))


@app.command()
def migrate(
    url: Url = None,
    api_key: ApiKey = None,
    run: Run = None,
    tenant: Tenant = None,
    discard: Annotated[
        bool, typer.Option("--discard", help="Delete what remains of names that the run or tenant has written itself.")
    ] = False,
) -> None:
    """Move the state of a version without namespaces to one run and its tenant. Needs the right admin.

    Until then every run and tenant reads it, each until it first writes a name. Afterwards no other does.
    """
    content = json.dumps({"discard": discard})
    rows = ask_service("POST", _path(":migrate", run, tenant), url, api_key, TIMEOUT_S, content=content)["state"]
    left = "discarded" if discard else "kept: already written there"
    print_table(("kind", "name", ""), ((row["kind"], row["name"], "moved" if row["moved"] else left) for row in rows))


@app.command("accept-reset")
def accept_reset(url: Url = None, api_key: ApiKey = None) -> None:
    """Begin anew after the store lost its state; until then, what needs state is answered state_unavailable."""
    answer = ask_service("POST", "/v1/state:accept-reset", url, api_key, TIMEOUT_S)
    err.print("state begins anew" if answer["accepted"] else "the store has its state; nothing was changed")


def _path(below: str, run: str | None, tenant: str | None) -> str:
    query = urlencode({name: value for name, value in (("run", run), ("tenant", tenant)) if value is not None})
    return f"/v1/state{quote(below, safe=':/@')}{f'?{query}' if query else ''}"
