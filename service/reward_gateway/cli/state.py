"""``state``: the named state of a running service."""

import typer

from .output import TIMEOUT_S, ApiKey, Url, err
from .service import ask_service

app = typer.Typer(help="The state that outlives requests: accept its loss.", no_args_is_help=True)


@app.callback()
def state() -> None:
    """The state that outlives requests: accept its loss."""


@app.command("accept-reset")
def accept_reset(url: Url = None, api_key: ApiKey = None) -> None:
    """Begin anew after the store lost its state; until then, what needs state is answered state_unavailable."""
    answer = ask_service("POST", "/v1/state:accept-reset", url, api_key, TIMEOUT_S)
    err.print("state begins anew" if answer["accepted"] else "the store has its state; nothing was changed")
