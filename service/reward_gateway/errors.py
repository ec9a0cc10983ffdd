"""Every way a request can fail: one class per failure, each with its HTTP and gRPC status.

HTTP, gRPC, the dialects and the command line read the same table; no other module names a status.
A message tells the person who has to act on it what was wrong, where, and what to do. It never
contains a prompt, a response or a path of this machine.
"""

import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import ClassVar


class GatewayError(Exception):
    """Base class of all failures that a caller may see.

    Args:
        message: what was wrong and what to do about it.
        param: path of the offending field, for example ``samples[3].images[0]``.
        retry_after_s: seconds after which trying again makes sense (sent as ``Retry-After``).
    """

    status: ClassVar[int] = 500
    grpc_status: ClassVar[str] = "INTERNAL"
    code: ClassVar[str] = "internal_error"
    type: ClassVar[str] = "server_error"
    default_retry_after_s: ClassVar[float | None] = None

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s if retry_after_s is not None else self.default_retry_after_s

    def error_body(self) -> dict[str, dict[str, str | None]]:
        """The JSON error body, as every entry sends it."""
        return {"error": {"code": self.code, "message": self.message, "type": self.type, "param": self.param}}


class InternalError(GatewayError):
    """A bug or fault of the gateway; the log has the details, under the request's id."""


class RequestError(GatewayError):
    """The request is at fault: the caller has to change it."""

    status, grpc_status = 422, "INVALID_ARGUMENT"
    code, type = "invalid_request", "invalid_request_error"


class MalformedBody(RequestError):
    """The body is not JSON, or its compression is broken."""

    status, code = 400, "malformed_body"


class InvalidRequest(RequestError):
    """The JSON does not match the schema: a wrong type, an unknown or missing key, a value out of range."""


class EmptyInput(RequestError):
    """Nothing to score; raised for clients that treat an empty request as an error."""

    status, code = 400, "empty_input"


class ContradictoryRun(RequestError):
    """Header, query and path of the request name different training runs."""

    status, code = 400, "contradictory_run"


class UnknownVariable(RequestError):
    """A grader's placeholder names a field that neither the item nor the sample has."""

    code = "invalid_variable_error"


class Unscorable(RequestError):
    """A sample could not be scored and the request has ``on_invalid: fail``."""

    code = "unscorable_sample"


class InvalidRecipe(RequestError):
    """A recipe is invalid. ``faults`` lists every fault with its location in the file."""

    code = "invalid_recipe"

    def __init__(self, message: str, *, faults: list[dict[str, str]] | None = None, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.faults = faults or []


class Conflict(RequestError):
    """The current state does not allow the request: a version does not exist, a model cannot be loaded."""

    status, grpc_status, code, type = 409, "FAILED_PRECONDITION", "conflict", "conflict_error"


class NotSetUp(Conflict):
    """This gateway is not configured for the request; its operator can change that."""

    code = "not_set_up"


class IdempotencyConflict(RequestError):
    """The same idempotency key was sent with another body."""

    status, grpc_status, code, type = 409, "ABORTED", "idempotency_conflict", "conflict_error"


class PreconditionFailed(RequestError):
    """The resource has changed since the caller read it: read it again."""

    status, grpc_status, code, type = 412, "ABORTED", "precondition_failed", "conflict_error"


class UnsupportedMediaType(RequestError):
    """The content type or encoding is not supported."""

    status, code = 415, "unsupported_media_type"


class MethodNotAllowed(RequestError):
    """The path exists, but does not support the method.

    Args:
        allowed: the methods that it does support.
    """

    status, grpc_status, code = 405, "UNIMPLEMENTED", "method_not_allowed"

    def __init__(self, message: str, *, param: str | None = None, allowed: Sequence[str] = ()) -> None:
        super().__init__(message, param=param)
        self.allowed = allowed


class UpgradeRequired(RequestError):
    """The path answers WebSockets only."""

    status, code = 426, "upgrade_required"


class NotFound(RequestError):
    """An unknown reward, operation, model or path."""

    status, grpc_status, code, type = 404, "NOT_FOUND", "not_found", "not_found_error"


class ModelNotFound(NotFound):
    """No model server has the model: the caller's mistake, where it is not a recipe that names it."""


class JudgeNotFound(NotFound):
    """No judge of that name is configured: the caller's mistake, where it is not a recipe that names it."""


class Unauthenticated(RequestError):
    """The API key is missing or unknown."""

    status, grpc_status, code, type = 401, "UNAUTHENTICATED", "unauthenticated", "authentication_error"


class PermissionDenied(RequestError):
    """The API key lacks the required right."""

    status, grpc_status, code, type = 403, "PERMISSION_DENIED", "permission_denied", "permission_error"


class BrowserRefused(PermissionDenied):
    """A browser sent the request for another site: no client of the service is answered so."""


class TooLarge(RequestError):
    """A body, batch, text or image exceeds its limit."""

    status, grpc_status, code = 413, "RESOURCE_EXHAUSTED", "too_large"


class SlowRequest(RequestError):
    """The headers or the body arrived too slowly."""

    status, code = 408, "request_timeout"


class HeadersTooLarge(RequestError):
    """The headers of a request are too many, or too large together."""

    status, grpc_status, code = 431, "RESOURCE_EXHAUSTED", "headers_too_large"


class RateLimited(RequestError):
    """The API key exceeds its rate limit."""

    status, grpc_status, code, type = 429, "RESOURCE_EXHAUSTED", "rate_limited", "rate_limit_error"
    default_retry_after_s = 1.0


class Unavailable(GatewayError):
    """A temporary failure: a later retry may succeed."""

    status, grpc_status, code, type = 503, "UNAVAILABLE", "unavailable", "overloaded_error"
    default_retry_after_s = 1.0


class Overloaded(Unavailable):
    """The queue of waiting requests is full."""

    code = "overloaded"


class Draining(Unavailable):
    """The gateway is shutting down and accepts no new requests."""

    code = "draining"


class ModelUnavailable(Unavailable):
    """The model server is unreachable, or the model is not ready on it."""

    code = "model_unavailable"


class StateUnavailable(Unavailable):
    """The state store is unreachable, and the request cannot be answered without it."""

    code = "state_unavailable"


class DeadlineExceeded(GatewayError):
    """The deadline passed before anything was scored."""

    status, grpc_status, code, type = 504, "DEADLINE_EXCEEDED", "deadline_exceeded", "timeout_error"


def error_table() -> list[type[GatewayError]]:
    """Every failure that a caller of the service may see: one class per code, ordered by status and code."""
    found: dict[str, type[GatewayError]] = {}
    waiting: list[type[GatewayError]] = [GatewayError]
    while waiting:
        kind = waiting.pop()
        if kind.__module__ != __name__:
            continue  # the client's own
        waiting.extend(kind.__subclasses__())
        found[kind.code] = kind
    return sorted(found.values(), key=lambda kind: (kind.status, kind.code))


def seconds_of_retry_after(header: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header, which holds a number or a date; None if it cannot be parsed."""
    if header is None:
        return None
    try:
        if header.strip().replace(".", "", 1).isdigit():
            return max(0.0, float(header))
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
