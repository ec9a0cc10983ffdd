"""What is known of one HTTP request before it is routed: read from its headers once, kept beside its scope."""

import os
import re
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from starlette.types import Scope

from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.traffic.keys import ANYBODY, ApiKey

from .errors import OWN_FORMAT, ErrorFormat

OPEN_PATHS = frozenset({"/livez", "/readyz", "/health", "/v2/health/live", "/v2/health/ready", "/metrics"})
"""Exact paths that need no key and no place: a probe or a scrape must be answered when nothing else is."""

REQUEST_ID, DEADLINE, API_KEY = "x-request-id", "x-request-deadline-ms", "x-api-key"
IDEMPOTENCY_KEY = "idempotency-key"
_OURS = frozenset({b"x-request-id", b"x-request-deadline-ms", b"x-api-key"})
_STANDARD = (b"authorization", b"content-type", b"content-encoding", b"content-length", b"traceparent")
_READ = _OURS | {*_STANDARD, IDEMPOTENCY_KEY.encode()}
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(slots=True)
class Call:
    """One request on its way through.

    Attributes:
        arrived: ``perf_counter`` at its arrival.
        arrived_at: the running loop's clock at its arrival; deadlines count from here.
        stages: name -> milliseconds, for the ``Server-Timing`` header.
        error_format: what an error looks like to this client.
        idempotency_key: makes a repeat the same request; None: every request is a new one.
    """

    id: str
    headers: dict[str, str]
    arrived: float
    arrived_at: float
    open: bool
    key: ApiKey = ANYBODY
    deadline_s: float | None = None
    stages: dict[str, float] = field(default_factory=dict)
    error_format: ErrorFormat = OWN_FORMAT
    idempotency_key: str | None = None

    @property
    def scope(self) -> RequestScope:
        """On whose behalf the request is answered; final once the key layer has passed."""
        return RequestScope(self.key.name, "", self.idempotency_key)


def begin(scope: Scope, now: float) -> Call:
    """The call of a request that just arrived; ``now`` is the loop's clock."""
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _READ}
    given = headers.get(REQUEST_ID, "")
    usable = len(given) <= 256 and _PRINTABLE.fullmatch(given)
    name = given if usable else os.urandom(16).hex()
    call = Call(name, headers, perf_counter(), now, scope["path"] in OPEN_PATHS)
    scope["reward_gateway.call"] = call
    return call


def call_of(scope: Scope) -> Call:
    """The call of a request that passed the context layer."""
    call: Call = scope["reward_gateway.call"]
    return call


def route_of(scope: Scope) -> str:
    """The template of the route that answered, or ``unmatched``: a label with few values."""
    route: Any = scope.get("route")
    return getattr(route, "path_format", None) or "unmatched"
