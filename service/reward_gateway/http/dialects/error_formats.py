"""What an error looks like to each kind of client: status and body, made from the one table of errors."""

from typing import Any

from msgspec import Struct

from reward_gateway.errors import (
    DeadlineExceeded,
    Draining,
    EmptyInput,
    GatewayError,
    InternalError,
    ModelUnavailable,
    Overloaded,
    RateLimited,
    StateUnavailable,
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
    """Cohere's and vLLM's error at once."""

    message: str
    error: ErrorInfo


class DetailError(Struct):
    """FastAPI's error."""

    detail: str


def _openai(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """OpenAI's error object, which is ours; their clients know 429 for a server that is too busy."""
    status, body = render_own(error)
    return 429 if isinstance(error, Overloaded) else status, body


def _tei(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """text-embeddings-inference: ``{"error": text, "error_type": kind}``, 429 when busy, 424 for the models behind."""
    match error:
        case Overloaded() | RateLimited():
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


def _message(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """Cohere and Cosmos-RL: ``{"message": text}``."""
    return error.status, {"message": error.message}


def _rerank(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """Cohere's and vLLM's format at once, for the paths that both have: each client reads its own key."""
    status, body = render_own(error)
    return status, {"message": error.message, **body}


def _detail(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """FastAPI's ``{"detail": text}``, as UniRL's server says it: a wrong or unknown field is a 400."""
    return 400 if error.status in (404, 422) else error.status, {"detail": error.message}


def _no_500(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """Our own body, for clients that take a 500 as a call to try for hours: 400 for bad requests, 503 for faults."""
    status, body = render_own(error)
    return {422: 400, 500: 503, 504: 503}.get(status, status), body


OPENAI = ErrorFormat("openai", _openai, ErrorResponse)
TEI = ErrorFormat("tei", _tei, TextError)
MESSAGE = ErrorFormat("message", _message, MessageError)
RERANK = ErrorFormat("rerank", _rerank, MessageAndError)
DETAIL = ErrorFormat("detail", _detail, DetailError)
NO_500 = ErrorFormat("no_500", _no_500, ErrorResponse)
