"""What an error looks like to each kind of client: status and body, made from the one table of errors."""

from functools import cache
from typing import Any

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

from ..errors import ErrorForm, plain_form


def tei(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """text-embeddings-inference: ``{"error": text, "error_type": kind}``, 424 for the models behind."""
    match error:
        case Overloaded() | RateLimited():
            status, kind = error.status, "Overloaded"
        case Draining():
            status, kind = error.status, "Unhealthy"
        case ModelUnavailable() | StateUnavailable() | DeadlineExceeded() | InternalError():
            status, kind = 424, "Backend"
        case EmptyInput():
            status, kind = error.status, "Empty"
        case _:
            status, kind = error.status, "Validation"
    return status, {"error": error.message, "error_type": kind}


def message(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """Cohere and Cosmos-RL: ``{"message": text}``."""
    return error.status, {"message": error.message}


def rerank(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """Cohere's and vLLM's form at once, for the paths that both have: each client reads its own key."""
    status, body = plain_form(error)
    return status, {"message": error.message, **body}


def detail(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """FastAPI's ``{"detail": text}``, as UniRL's server says it: a wrong or unknown field is a 400."""
    return 400 if error.status in (404, 422) else error.status, {"detail": error.message}


def no_500(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """Our own body, for clients that take a 500 as a call to try for hours: 400 for bad requests, 503 for faults."""
    status, body = plain_form(error)
    return {422: 400, 500: 503, 504: 503}.get(status, status), body


ERROR_FORMATS: dict[str, ErrorForm] = {
    "ours": plain_form,
    "openai": plain_form,  # OpenAI's error object is ours
    "tei": tei,
    "message": message,
    "rerank": rerank,
    "detail": detail,
    "no_500": no_500,
}
"""The forms by the names that the table of policies uses."""


@cache
def error_form_of(name: str, overload_status: int) -> ErrorForm:
    """A form by its name, in which a server that is too busy answers with this status.

    Equal arguments give the same function: paths that several dialects share compare their forms.
    """
    form = ERROR_FORMATS[name]
    if overload_status == Overloaded.status:
        return form

    def form_with_status(error: GatewayError) -> tuple[int, dict[str, Any]]:
        status, body = form(error)
        return overload_status if isinstance(error, Overloaded) else status, body

    return form_with_status
