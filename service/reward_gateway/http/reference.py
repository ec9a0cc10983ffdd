"""Describes the HTTP API for the guide's reference: the OpenAPI document, and the dialects with their policies."""

from functools import partial

from fastapi import FastAPI

from reward_gateway import __version__
from reward_gateway.guide.sources import HttpApi, hand_over_http
from reward_gateway.settings import Settings

from . import dialects, openapi, routes
from .dialects.listing import list_dialects
from .dialects.policy import FAILURES
from .routing import found_routes


def hand_over(app: FastAPI, settings: Settings) -> None:
    """Let the guide describe an application."""
    hand_over_http(partial(describe_http, app, settings))


def hand_over_without_gateway() -> None:
    """Let the guide describe the API where none is served, as for pages that are written as files."""
    app = FastAPI(title="reward-gateway", version=__version__)
    app.router.routes = found_routes(routes, dialects)
    openapi.install(app)
    hand_over(app, Settings.model_construct())


def describe_http(app: FastAPI, settings: Settings) -> HttpApi:
    """The API of an application."""
    return HttpApi(app.openapi(), tuple(list_dialects(settings)), dict(FAILURES.items()))
