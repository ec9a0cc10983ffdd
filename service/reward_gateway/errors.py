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
    advice: ClassVar[str] = (
        "Look up the request's id (the header `X-Request-Id`) in the gateway's log, and report what you find."
    )
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

    advice = "Correct what `param` and `message` name."
    status, grpc_status = 422, "INVALID_ARGUMENT"
    code, type = "invalid_request", "invalid_request_error"


class MalformedBody(RequestError):
    """The body is not JSON, or its compression is broken."""

    advice = "Send JSON in UTF-8 without NaN or Infinity, and gzip or zstd only if the header says so."
    status, code = 400, "malformed_body"


class InvalidRequest(RequestError):
    """The JSON does not match the schema: a wrong type, an unknown or missing key, a value out of range."""


class EmptyInput(RequestError):
    """Nothing to score; raised for clients that treat an empty request as an error."""

    advice = "Send at least one text."
    status, code = 400, "empty_input"


class ContradictoryRun(RequestError):
    """Header, query and path of the request name different training runs."""

    advice = "Name the run once: by `X-Run`, by `?run=` or by `/run/NAME/`."
    status, code = 400, "contradictory_run"


class UnknownVariable(RequestError):
    """A grader's placeholder names a field that neither the item nor the sample has."""

    advice = "Correct the placeholder, or add the field to item or sample."
    code = "invalid_variable_error"


class Unscorable(RequestError):
    """A sample could not be scored and the request has ``on_invalid: fail``."""

    advice = (
        "Read the message for the sample's own reason, or leave `on_invalid` out to get the other samples' rewards."
    )
    code = "unscorable_sample"


class InvalidRecipe(RequestError):
    """A recipe is invalid. ``faults`` lists every fault with its location in the file."""

    advice = "Correct every place that `faults` lists; `reward-gateway rewards check FILE` shows them with their lines."
    code = "invalid_recipe"

    def __init__(self, message: str, *, faults: list[dict[str, str]] | None = None, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.faults = faults or []


class Conflict(RequestError):
    """The current state does not allow the request: a version does not exist, a model cannot be loaded."""

    advice = "Read the present state, and ask for what it allows."
    status, grpc_status, code, type = 409, "FAILED_PRECONDITION", "conflict", "conflict_error"


class NotSetUp(Conflict):
    """This gateway is not configured for the request; its operator can change that."""

    advice = "Ask the operator for the setting that the message names."
    code = "not_set_up"


class IdempotencyConflict(RequestError):
    """The same idempotency key was sent with another body."""

    advice = "Send a new `Idempotency-Key` with every new body; a retry repeats both."
    status, grpc_status, code, type = 409, "ABORTED", "idempotency_conflict", "conflict_error"


class PreconditionFailed(RequestError):
    """The resource has changed since the caller read it: read it again."""

    advice = "Read the resource again, and repeat the change with its new `ETag`."
    status, grpc_status, code, type = 412, "ABORTED", "precondition_failed", "conflict_error"


class UnsupportedMediaType(RequestError):
    """The content type or encoding is not supported."""

    advice = "Send `Content-Type: application/json`, and `Content-Encoding` gzip, zstd or none."
    status, code = 415, "unsupported_media_type"


class MethodNotAllowed(RequestError):
    """The path exists, but does not support the method.

    Args:
        allowed: the methods that it does support.
    """

    advice = "Use a method of the header `Allow`."
    status, grpc_status, code = 405, "UNIMPLEMENTED", "method_not_allowed"

    def __init__(self, message: str, *, param: str | None = None, allowed: Sequence[str] = ()) -> None:
        super().__init__(message, param=param)
        self.allowed = allowed


class UpgradeRequired(RequestError):
    """The path answers WebSockets only."""

    advice = "Open a WebSocket to this path."
    status, code = 426, "upgrade_required"


class NotFound(RequestError):
    """An unknown reward, operation, model or path."""

    advice = "Correct the name: `GET /v1/rewards` and `/v1/catalog` list them. A job of another caller is not found."
    status, grpc_status, code, type = 404, "NOT_FOUND", "not_found", "not_found_error"


class ModelNotFound(NotFound):
    """No model server has the model: the caller's mistake, where it is not a recipe that names it."""


class JudgeNotFound(NotFound):
    """No judge of that name is configured: the caller's mistake, where it is not a recipe that names it."""


class Unauthenticated(RequestError):
    """The API key is missing or unknown."""

    advice = "Send the key as `Authorization: Bearer KEY`, as `X-Api-Key: KEY`, or in the address `http://x:KEY@HOST`."
    status, grpc_status, code, type = 401, "UNAUTHENTICATED", "unauthenticated", "authentication_error"


class PermissionDenied(RequestError):
    """The API key lacks the required right."""

    advice = "Use a key with the right that the message names, or add it to the key in the keys file."
    status, grpc_status, code, type = 403, "PERMISSION_DENIED", "permission_denied", "permission_error"


class BrowserRefused(PermissionDenied):
    """A browser sent the request for another site: no client of the service is answered so."""


class TooLarge(RequestError):
    """A body, batch, text or image exceeds its limit."""

    advice = "Send less at once, or raise the setting that the message's limit comes from."
    status, grpc_status, code = 413, "RESOURCE_EXHAUSTED", "too_large"


class SlowRequest(RequestError):
    """The headers or the body arrived too slowly."""

    advice = "Send the body at once; `header_timeout_s`, `body_grace_s` and `min_body_rate` bound how slow it may be."
    status, code = 408, "request_timeout"


class HeadersTooLarge(RequestError):
    """The headers of a request are too many, or too large together."""

    advice = "Send fewer or shorter headers; `max_headers` and `max_header_bytes` are the limits."
    status, grpc_status, code = 431, "RESOURCE_EXHAUSTED", "headers_too_large"


class RateLimited(RequestError):
    """The API key exceeds its rate limit."""

    advice = "Wait for `Retry-After`, or raise the key's rate."
    status, grpc_status, code, type = 429, "RESOURCE_EXHAUSTED", "rate_limited", "rate_limit_error"
    default_retry_after_s = 1.0


class OverBudget(RequestError):
    """The tenant's budget of samples for this UTC day is spent."""

    advice = "Wait until midnight UTC (`Retry-After`), send fewer samples, or raise the tenant's budget."
    status, grpc_status, code, type = 429, "RESOURCE_EXHAUSTED", "over_budget", "rate_limit_error"
    default_retry_after_s = 3600.0


class Unavailable(GatewayError):
    """A temporary failure: a later retry may succeed."""

    advice = "Wait for `Retry-After`, and send it again."
    status, grpc_status, code, type = 503, "UNAVAILABLE", "unavailable", "overloaded_error"
    default_retry_after_s = 1.0


class Overloaded(Unavailable):
    """The queue of waiting requests is full."""

    advice = "Wait for `Retry-After`; send fewer requests at once, or give the gateway more workers or replicas."
    code = "overloaded"


class Draining(Unavailable):
    """The gateway is shutting down and accepts no new requests."""

    advice = "Send it again, to another replica or after the restart."
    code = "draining"


class ModelUnavailable(Unavailable):
    """The model server is unreachable, or the model is not ready on it."""

    advice = "Send it again; if it lasts, `GET /readyz` and `reward-gateway doctor` say which server is away."
    code = "model_unavailable"


class StateUnavailable(Unavailable):
    """The state store is unreachable, and the request cannot be answered without it."""

    advice = "Send it again; if it lasts, look at the Redis server of state, or accept that its state is lost."
    code = "state_unavailable"


class DeadlineExceeded(GatewayError):
    """The deadline passed before anything was scored."""

    advice = "Allow more time (`deadline_ms`, `X-Request-Deadline-Ms`), or send fewer samples at once."
    status, grpc_status, code, type = 504, "DEADLINE_EXCEEDED", "deadline_exceeded", "timeout_error"


def list_failures() -> list[type[GatewayError]]:
    """Every failure that a caller of the service may see, the general before those that derive from it."""
    found: list[type[GatewayError]] = []
    waiting: list[type[GatewayError]] = [GatewayError]
    while waiting:
        kind = waiting.pop(0)
        if kind.__module__ != __name__:
            continue  # the client's own
        waiting.extend(kind.__subclasses__())
        if kind not in (GatewayError, RequestError):  # which are only raised as what derives from them
            found.append(kind)
    return found


def error_table() -> list[type[GatewayError]]:
    """One failure per code, the most general, by status and code."""
    found: dict[str, type[GatewayError]] = {}
    for kind in list_failures():
        found.setdefault(kind.code, kind)
    return sorted(found.values(), key=lambda kind: (kind.status, kind.code))


def is_temporary(kind: type[GatewayError]) -> bool:
    """Whether the same request, sent again later, may succeed: clients then retry it, after ``Retry-After``."""
    return issubclass(kind, Unavailable | RateLimited)


def summarize_error(kind: type[GatewayError]) -> str:
    """What a failure means: the first line of its class."""
    return (kind.__doc__ or kind.code).strip().split("\n", 1)[0]


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
