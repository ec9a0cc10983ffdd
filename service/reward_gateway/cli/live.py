"""``models load | unload | versions | rollback``: operations on the models of a running service."""

import json
from typing import Annotated
from urllib.parse import quote

import typer

from .completion import complete_model
from .output import TIMEOUT_S, ApiKey, AsJson, Url, err, print_table
from .progress import waiting
from .service import ask_service

LOAD_S = 300.0
"""Timeout of loading a model, in seconds."""

Model = Annotated[
    str,
    typer.Argument(
        help="Name of a model, or of one of its versions: NAME@2.", show_default=False, autocompletion=complete_model
    ),
]


def load(model: Model, url: Url = None, api_key: ApiKey = None) -> None:
    """Load a model, or reload it if its folder changed; NAME@VERSION serves a withdrawn version again."""
    with waiting(f"loading {model}"):
        answer = ask_service("POST", f"/v2/repository/models/{quote(model, safe='@')}/load", url, api_key, LOAD_S)
    err.print(f"{answer['name']}: serves {', '.join(answer['versions']) or answer['version']}", markup=False)


def unload(model: Model, url: Url = None, api_key: ApiKey = None) -> None:
    """Stop serving a model, or with NAME@VERSION one of its versions."""
    with waiting(f"unloading {model}"):
        ask_service("POST", f"/v2/repository/models/{quote(model, safe='@')}/unload", url, api_key, LOAD_S)
    err.print(f"{model}: unloaded", markup=False)


def versions(model: Model, url: Url = None, api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """List the served versions; the last row is the version that the plain name resolves to."""
    answer = ask_service("GET", f"/v1/models/{quote(model, safe='@')}", url, api_key, TIMEOUT_S)
    if as_json:
        print(json.dumps(answer))
        return
    rows = [(f"{answer['name']}@{version.partition('-')[0]}", version) for version in answer["versions"]]
    print_table(("model", "version"), [*rows, (answer["name"], answer["version"])])


def rollback(model: Model, url: Url = None, api_key: ApiKey = None) -> None:
    """Withdraw the newest version, so that the previous one answers; `load NAME@VERSION` serves it again."""
    with waiting(f"rolling {model} back"):
        answer = ask_service("POST", f"/v1/models/{quote(model, safe='')}/rollback", url, api_key, LOAD_S)
    err.print(f"{answer['name']}: is {answer['version']}", markup=False)
