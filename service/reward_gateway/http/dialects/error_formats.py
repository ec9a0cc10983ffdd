"""The error formats of the clients: status and body, rendered from the one table of errors."""

from typing import Any

from msgspec import Struct

from reward_gateway.errors import (
    BrowserRefused,
    DeadlineExceeded,
    Draining,
    EmptyInput,
    GatewayError,
    InternalError,
    InvalidRequest,
    MalformedBody,
    MethodNotAllowed,
    ModelUnavailable,
    OverBudget,
    Overloaded,
    PermissionDenied,
    RateLimited,
    StateUnavailable,
    TooLarge,
    Unauthenticated,
)

from ..errors import ErrorFormat, render_own
from ..wire.response import ErrorInfo, ErrorResponse


class TextError(Struct):
    """text-embeddings-inference's error."""

    error: str
    error_type: str


class MessageError(Struct):
    """Cohere's and Cosmos-RL's error."""

    message: str


class MessageAndError(Struct):
    """Cohere's and vLLM's error in one body."""

    message: str
    error: ErrorInfo


class DetailError(Struct):
    """FastAPI's error."""

    detail: str


class UnscoredReward(Struct):
    """Why there is no reward, in its place."""

    reward: str


class OpenEnvErrorData(Struct, omit_defaults=True):
    """What an OpenEnv client is told of a failure: its own code, and ours beside it."""

    message: str
    code: str
    error: str
    retry_after_s: float | None = None


class OpenEnvError(Struct, tag="error"):
    """OpenEnv's error on a WebSocket."""

    data: OpenEnvErrorData


def _render_openai(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """OpenAI's error object, also the gateway's own; an overloaded server is 429, which their clients retry."""
    status, body = render_own(error)
    return 429 if isinstance(error, Overloaded) else status, body


def _render_tei(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """text-embeddings-inference: ``{"error": text, "error_type": kind}``; 429 if overloaded, 424 if a model failed."""
    match error:
        case Overloaded() | RateLimited() | OverBudget():
            status, kind = 429, "Overloaded"
        case Draining():
            status, kind = error.status, "Unhealthy"
        case ModelUnavailable() | StateUnavailable() | DeadlineExceeded() | InternalError():
            status, kind = 424, "Backend"
        case EmptyInput():
            status, kind = error.status, "Empty"
        case _:
            status, kind = error.status, "Validation"
    return status, {"error": error.message, "error_type": kind}


def _render_message(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """Cohere and Cosmos-RL: ``{"message": text}``."""
    return error.status, {"message": error.message}


def _render_rerank(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """Cohere's and vLLM's formats in one body, for the paths that both have: each client reads its own key."""
    status, body = render_own(error)
    return status, {"message": error.message, **body}


def _render_detail(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """FastAPI's ``{"detail": text}`` with the statuses of UniRL's server: a wrong or unknown field is 400."""
    return 400 if error.status in (404, 422) else error.status, {"detail": error.message}


def _render_fastapi(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """FastAPI's ``{"detail": text}`` with the gateway's own statuses."""
    return error.status, {"detail": error.message}


def _render_without_500(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """The gateway's own body without 500, which some clients retry for hours: 400 or 503 instead."""
    status, body = render_own(error)
    return {422: 400, 500: 503, 504: 503}.get(status, status), body


def _render_axolotl(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """axolotl makes 0.0 of every status but 200, and stops with the text where a number should be. What it never sends,
    a browser's request for another site or another method, is refused as everywhere."""
    status = error.status if isinstance(error, BrowserRefused | MethodNotAllowed) else 200
    return status, {"reward": f"no reward: {error.message}"}


def _render_openenv(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """OpenEnv on a WebSocket: ``{"type": "error", "data": {"message", "code"}}``, and our code as ``error``."""
    message = error.message
    match error:
        case MalformedBody():
            code = "INVALID_JSON"
        case InvalidRequest(param="type"):
            code, message = "UNKNOWN_TYPE", "type: expected reset, step, state or close"
        case InvalidRequest() | TooLarge():
            code = "VALIDATION_ERROR"
        case RateLimited() | OverBudget() | Overloaded():
            code = "CAPACITY_REACHED"
        case Unauthenticated() | PermissionDenied() | Draining():
            code = "SESSION_ERROR"
        case _:
            code = "EXECUTION_ERROR"
    data: dict[str, Any] = {"message": message, "code": code, "error": error.code}
    if error.retry_after_s is not None:
        data["retry_after_s"] = error.retry_after_s
    return error.status, {"type": "error", "data": data}


OPENAI = ErrorFormat("openai", _render_openai, ErrorResponse)
TEI = ErrorFormat("tei", _render_tei, TextError)
MESSAGE = ErrorFormat("message", _render_message, MessageError)
RERANK = ErrorFormat("rerank", _render_rerank, MessageAndError)
DETAIL = ErrorFormat("detail", _render_detail, DetailError)
FASTAPI = ErrorFormat("fastapi", _render_fastapi, DetailError)
OPENENV_MESSAGE = ErrorFormat("openenv_message", _render_openenv, OpenEnvError)
NO_500 = ErrorFormat("no_500", _render_without_500, ErrorResponse)
AXOLOTL = ErrorFormat("axolotl", _render_axolotl, UnscoredReward)
