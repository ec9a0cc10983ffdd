"""The HTTP application: the routes that are found, behind the entry that every request passes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from reward_gateway import __version__
from reward_gateway.admin.models import ModelAdmin
from reward_gateway.admin.stores import StoreWatch
from reward_gateway.gateway import Gateway
from reward_gateway.intake.kept_answers import KeptAnswers
from reward_gateway.intake.score_intake import ScoreIntake
from reward_gateway.intake.task_file import TaskFile
from reward_gateway.jobs.intake import JobIntake
from reward_gateway.jobs.service import JobService
from reward_gateway.kept_samples.keeper import SampleKeeper
from reward_gateway.kept_samples.store import Bounds
from reward_gateway.metering.usage import UsageCounter
from reward_gateway.oip.protocol import OpenInference
from reward_gateway.runs.history import RunHistory
from reward_gateway.settings import Settings
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.traffic.guard import Traffic

from . import dialects, openapi, reference, routes
from .dependencies import Dependencies
from .dialects.dialect import check_failures
from .entry.entry import Entry
from .entry.websockets import WebSocketLayer
from .mounted import Mounted
from .route_table import RouteTable
from .routing import found_routes


class GatewayApp(FastAPI):
    """The application: HTTP and WebSockets go straight to the entry; FastAPI has the lifespan and the OpenAPI page."""

    def bind(self, http: ASGIApp, websockets: ASGIApp, root_path: str) -> None:
        """Set what answers, and the path that a proxy may leave before every other."""
        self._answer = {"http": http, "websocket": websockets}
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        if self._root_path and scope.get("path", "").startswith(self._root_path + "/"):
            scope["path"] = scope["path"].removeprefix(self._root_path)
            scope["raw_path"] = (scope.get("raw_path") or b"").removeprefix(self._root_path.encode())
        answer = self._answer.get(scope["type"])
        if answer is None:
            await super().__call__(scope, receive, send)
        else:
            await answer(scope, receive, send)


def create_app(
    gateway: Gateway,
    settings: Settings,
    telemetry: Telemetry | None = None,
    traffic: Traffic | None = None,
    open_inference: OpenInference | None = None,
    model_admin: ModelAdmin | None = None,
    stores: StoreWatch | None = None,
    runs: RunHistory | None = None,
    mounted: Mounted | None = None,
    samples: SampleKeeper | None = None,
) -> FastAPI:
    """The application.

    Args:
        traffic: the process's gate, where the gRPC edge shares it; None makes one.
        mounted: pages beside the API; None: there are none.
        open_inference: likewise the Open Inference Protocol.
        model_admin: likewise the operations on models.
        stores: knows which of the stores can be reached; None: there is none.
        runs: the history of runs that the gateway records; None: one of this process, unless the settings allow none.
        samples: likewise the samples that the gateway keeps.

    Raises:
        KeysFileError: the file of API keys cannot be used.
        OSError: the tokenizer that is set cannot be read.
        TaskFileError: the file of tasks cannot be used.
        ValueError: the setting ``dialect_failures`` names no dialect.
    """
    found = found_routes(routes, dialects)
    check_failures(settings.dialect_failures)
    telemetry = telemetry or Telemetry()
    traffic = traffic or Traffic.of(settings, telemetry.metrics)
    if runs is None and settings.run_history_bytes:
        runs = gateway.runs = RunHistory.in_process(settings.run_history_bytes)
    if gateway.meter.usage is None and settings.usage_days:
        gateway.meter = replace(gateway.meter, usage=UsageCounter.in_process(settings.usage_days))
    if samples is None and settings.keep_samples:
        samples = gateway.samples = SampleKeeper.in_process(Bounds.of(settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await traffic.drain.finish(settings.drain_s)

    app = GatewayApp(
        title="reward-gateway",
        version=__version__,
        docs_url=None,  # routes/docs.py
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},  # ours tells no text
    )
    app.state.dependencies = Dependencies(
        gateway,
        settings,
        traffic,
        telemetry,
        ScoreIntake(gateway, settings),
        KeptAnswers(gateway, settings),
        model_admin or ModelAdmin(gateway, settings),
        stores or StoreWatch({}, telemetry.metrics),
        TaskFile.read(settings.tasks_file, settings.max_nesting),
        JobService(gateway, settings),
        JobIntake(gateway, settings),
        runs,
        samples,
    )
    app.state.open_inference = open_inference or OpenInference(gateway, settings)
    app.router.routes.extend(found)
    openapi.install(app, settings.root_path)
    reference.hand_over(app, settings)
    entry = Entry(RouteTable(app.router.routes), settings, telemetry, traffic, mounted)
    app.bind(entry, WebSocketLayer(entry, settings, traffic), settings.root_path)
    return app
