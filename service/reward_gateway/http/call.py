"""What is known of one HTTP request before it is routed: read from its headers once, kept beside its scope."""

import os
import re
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from starlette.types import Scope

from reward_gateway.address import PREFIXES, Address, split_address
from reward_gateway.intake.run_name import HEADER, STEP_HEADER
from reward_gateway.sample.flags import PartFlags
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.traffic.keys import ANYBODY, ApiKey

from .errors import OWN_FORMAT, ErrorFormat

OPEN_PATHS = frozenset({"/livez", "/readyz", "/health", "/v2/health/live", "/v2/health/ready", "/metrics"})
"""Exact paths that need no key and no place: a probe or a scrape must be answered when nothing else is."""

HEALTH = "/health"
_other_names_of_health: set[str] = set()  # behind the prefix of each dialect

WEBSOCKET = "reward_gateway.websocket"
"""Key of the :class:`.websocket.WebSocketSession` in the scope of a request that is part of a WebSocket."""

REQUEST_ID, DEADLINE, API_KEY = "x-request-id", "x-request-deadline-ms", "x-api-key"
IDEMPOTENCY_KEY = "idempotency-key"
RUN, RUN_STEP = HEADER.lower(), STEP_HEADER.lower()
_OURS = frozenset({b"x-request-id", b"x-request-deadline-ms", b"x-api-key"})
_STANDARD = (b"authorization", b"content-type", b"content-encoding", b"content-length", b"traceparent")
_OF_BROWSERS = (
    *(b"host", b"origin", b"transfer-encoding", b"x-reward-gateway"),
    *(b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest"),
)
"""What :mod:`.entry.browsers` reads."""
_READ = _OURS | {*_STANDARD, *_OF_BROWSERS, IDEMPOTENCY_KEY.encode(), RUN.encode(), RUN_STEP.encode()}
_OF_ANY_RUN = ("/v1/samples", "/console/samples")
"""Where ``?run=`` says which run's samples are meant, and not for which run the request is."""
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(slots=True)
class Call:
    """One request on its way through.

    Attributes:
        arrived: ``perf_counter`` at its arrival.
        arrived_at: the running loop's clock at its arrival; deadlines count from here.
        stages: name -> milliseconds, for the ``Server-Timing`` header.
        flags: part of a dialect's request -> its samples and their flags, for the ``X-Reward-Flags`` header.
        error_format: what an error looks like to this client.
        run_names: the training run, as often as the request names it.
        run: the training run; empty if the request names none.
        step: the trainer's step; None: the request names none.
        recipe: the recipe that the address names: ``/r/NAME/…`` or else ``?reward=NAME``; None: it names none.
        chat_format: the format of chat text that the address names, by ``?chat_format=``.
        idempotency_key: makes a repeat the same request; None: every request is a new one.
        trace_id: that of the request's trace; empty: it has none.
        protocol: ``http``, or ``websocket`` for the handshake and the messages of one; a label of the metrics.
    """

    id: str
    headers: dict[str, str]
    arrived: float
    arrived_at: float
    open: bool
    key: ApiKey = ANYBODY
    deadline_s: float | None = None
    stages: dict[str, float] = field(default_factory=dict)
    flags: dict[int, PartFlags] = field(default_factory=dict)
    error_format: ErrorFormat = OWN_FORMAT
    run_names: tuple[str, ...] = ()
    run: str = ""
    step: int | None = None
    recipe: str | None = None
    chat_format: str | None = None
    idempotency_key: str | None = None
    trace_id: str = ""
    protocol: str = "http"

    @property
    def due_at(self) -> float | None:
        """When the request's own deadline passes, on the running loop's clock; None: it has none."""
        return None if self.deadline_s is None else self.arrived_at + self.deadline_s

    @property
    def scope(self) -> RequestScope:
        """On whose behalf the request is answered; final once the key layer has passed."""
        return RequestScope(self.key.caller, self.run, self.idempotency_key, self.step, self.key.keep_samples)


def register_health(prefix: str) -> None:
    """Let ``PREFIX/health`` be ``/health``: clients append it to the address of their dialect (``/unirl/health``)."""
    _other_names_of_health.add(prefix + HEALTH)


def begin(scope: Scope, now: float) -> Call:
    """The call of a request that just arrived; ``now`` is the loop's clock.

    A path that begins with the name of a run or of a recipe goes on without it, so that all that follows sees one path.
    """
    query = scope.get("query_string", b"")
    run_names: list[str] = []
    recipe: str | None = None
    chat_format: str | None = None
    if b"run=" in query or b"reward=" in query or b"chat_format=" in query:
        named = parse_qs(query.decode("latin-1"), keep_blank_values=True)
        run_names = [] if scope["path"].startswith(_OF_ANY_RUN) else named.get("run", [])
        recipe, chat_format = (named[name][-1] if name in named else None for name in ("reward", "chat_format"))
    if scope["path"].startswith(PREFIXES):
        address = _take_address(scope)
        run_names += [address.run] if address.run is not None else []
        recipe = recipe if address.recipe is None else address.recipe
    if scope["path"] in _other_names_of_health:
        scope["path"], scope["raw_path"] = HEALTH, HEALTH.encode()
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _READ}
    given = headers.get(REQUEST_ID, "")
    usable = len(given) <= 256 and _PRINTABLE.fullmatch(given)
    name = given if usable else os.urandom(16).hex()
    if RUN in headers:
        run_names += [value.decode("latin-1") for name, value in scope["headers"] if name == RUN.encode()]
    call = Call(
        name,
        headers,
        perf_counter(),
        now,
        scope["path"] in OPEN_PATHS,
        run_names=tuple(run_names),
        recipe=recipe,
        chat_format=chat_format,
        protocol="websocket" if WEBSOCKET in scope else "http",
    )
    scope["reward_gateway.call"] = call
    return call


def _take_address(scope: Scope) -> Address:
    """What the path names; the names are removed from it.

    Behind a recipe's name every path that ends in ``/health`` is ``/health`` (``/r/NAME/vllm/v1/health``).
    """
    sent = scope.get("raw_path") or quote(scope["path"]).encode()
    address = split_address(sent.decode("latin-1"))
    path = HEALTH if address.recipe is not None and address.path.endswith(HEALTH) else address.path
    scope["path"], scope["raw_path"] = unquote(path), path.encode("latin-1")
    return address


def call_of(scope: Scope) -> Call:
    """The call of a request that passed the context layer."""
    call: Call = scope["reward_gateway.call"]
    return call


def caller_of(call: Call, scope: Scope) -> str:
    """Whose share a request takes of what callers share: its key's, or its address's where keys are off."""
    if call.key is not ANYBODY:
        return f"key {call.key.name}"
    client = scope.get("client")
    return f"address {client[0]}" if client else ""


def route_of(scope: Scope) -> str:
    """The template of the route that answered, or ``unmatched``: a label with few values."""
    route: Any = scope.get("route")
    return getattr(route, "path_format", None) or "unmatched"
