"""``models load | unload | versions | rollback``: operations on the models of a running service."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from .output import REFUSED, TIMEOUT_S, ApiKey, AsJson, Unusable, Url, complain, err, table

LOAD_S = 300.0
"""How long a model may take to load."""

Model = Annotated[str, typer.Argument(help="A model, or one of its versions: NAME@2.", show_default=False)]


def load(model: Model, url: Url = None, api_key: ApiKey = None) -> None:
    """Load a model, anew where its folder changed; NAME@VERSION serves a withdrawn version again."""
    answer = _ask("POST", f"/v2/repository/models/{quote(model, safe='@')}/load", url, api_key, LOAD_S)
    err.print(f"{answer['name']}: serves {', '.join(answer['versions']) or answer['version']}", markup=False)


def unload(model: Model, url: Url = None, api_key: ApiKey = None) -> None:
    """Serve a model no more, or one version of several: NAME@VERSION."""
    _ask("POST", f"/v2/repository/models/{quote(model, safe='@')}/unload", url, api_key, LOAD_S)
    err.print(f"{model}: unloaded", markup=False)


def versions(model: Model, url: Url = None, api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """List the versions that can be asked for, the one that answers the name last."""
    answer = _ask("GET", f"/v1/models/{quote(model, safe='@')}", url, api_key, TIMEOUT_S)
    if as_json:
        print(json.dumps(answer))
        return
    rows = [(f"{answer['name']}@{version.partition('-')[0]}", version) for version in answer["versions"]]
    table(("model", "version"), [*rows, (answer["name"], answer["version"])])


def rollback(model: Model, url: Url = None, api_key: ApiKey = None) -> None:
    """Serve the newest version no more, so that the one before answers; `load NAME@VERSION` brings it back."""
    answer = _ask("POST", f"/v1/models/{quote(model, safe='')}/rollback", url, api_key, LOAD_S)
    err.print(f"{answer['name']}: is {answer['version']}", markup=False)


def _ask(method: str, path: str, url: str | None, api_key: str | None, timeout_s: float) -> dict[str, Any]:
    """The answer of the service; a refusal is one sentence and an exit code."""
    if not url or not url.startswith(("http://", "https://")):
        raise Unusable("name the running service with --url http://HOST:PORT")
    import httpx  # here, so that the other commands start without it

    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        response = httpx.request(method, url.rstrip("/") + path, headers=headers, timeout=timeout_s)
    except httpx.HTTPError as error:
        complain(f"the service cannot be reached ({type(error).__name__}); check its address and whether it runs")
        raise typer.Exit(REFUSED) from None
    body: dict[str, Any] = response.json()
    if not response.is_success:
        said = body.get("error", {})
        complain(said if isinstance(said, str) else f"{said.get('message')} ({said.get('code')})")
        raise typer.Exit(REFUSED)
    return body
