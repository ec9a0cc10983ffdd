"""The HTTP application: the layers, the routes that are found, and one way for a failure to become an answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from reward_gateway import __version__
from reward_gateway.admin.models import ModelAdmin
from reward_gateway.admin.stores import StoreWatch
from reward_gateway.errors import GatewayError, InvalidRequest, MethodNotAllowed, NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.intake.score_intake import ScoreIntake
from reward_gateway.intake.task_file import TaskFile
from reward_gateway.oip.protocol import OpenInference
from reward_gateway.settings import Settings
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.traffic.guard import Traffic

from . import dialects, openapi, routes
from .call import call_of
from .dependencies import Dependencies
from .dialects.dialect import check_failures
from .errors import error_response
from .middleware.admission import AdmissionLayer
from .middleware.body import BodyLayer
from .middleware.browsers import BrowserLayer
from .middleware.certificates import CertificateLayer
from .middleware.context import ContextLayer
from .middleware.disconnect import DisconnectLayer
from .middleware.drain import DrainLayer
from .middleware.keys import KeysLayer
from .middleware.websockets import WebSocketLayer
from .routing import found_routes


def create_app(
    gateway: Gateway,
    settings: Settings,
    telemetry: Telemetry | None = None,
    traffic: Traffic | None = None,
    open_inference: OpenInference | None = None,
    model_admin: ModelAdmin | None = None,
    stores: StoreWatch | None = None,
) -> FastAPI:
    """The application.

    Args:
        traffic: the process's gate, where the gRPC edge shares it; None makes one.
        open_inference: likewise the Open Inference Protocol.
        model_admin: likewise the operations on models.
        stores: knows which of the stores can be reached; None: there is none.

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

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await traffic.drain.finish(settings.drain_s)

    app = FastAPI(
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
        model_admin or ModelAdmin(gateway, settings),
        stores or StoreWatch({}, telemetry.metrics),
        TaskFile.read(settings.tasks_file, settings.max_nesting),
    )
    app.state.open_inference = open_inference or OpenInference(gateway, settings)
    app.router.routes.extend(found)
    app.add_exception_handler(HTTPException, _unrouted)
    openapi.install(app)

    # The last one added is the outermost.
    app.add_middleware(AdmissionLayer, traffic=traffic)
    app.add_middleware(BodyLayer, settings=settings, traffic=traffic)
    app.add_middleware(KeysLayer, traffic=traffic, observer=telemetry.metrics)
    app.add_middleware(DrainLayer, drain=traffic.drain)
    app.add_middleware(DisconnectLayer)
    if settings.tls_client_ca is not None:
        app.add_middleware(CertificateLayer)
    app.add_middleware(BrowserLayer, settings=settings)
    app.add_middleware(ContextLayer, settings=settings, telemetry=telemetry)
    app.add_middleware(WebSocketLayer, settings=settings, traffic=traffic)
    return app


async def _unrouted(request: Request, error: Exception) -> Response:
    """What the routing table says no to, with the error body of everything else."""
    failure: GatewayError = InvalidRequest("the request cannot be understood")
    headers = error.headers if isinstance(error, HTTPException) else None
    match error:
        case HTTPException(status_code=404):
            failure = NotFound("there is nothing at this path; GET /openapi.json lists what there is")
        case HTTPException(status_code=405):
            failure = MethodNotAllowed("this path does not take this method; the Allow header lists those it does")
    response = error_response(failure, error_format=call_of(request.scope).error_format)
    response.headers.update(headers or {})
    return response
