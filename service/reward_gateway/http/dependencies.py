"""What every route has at hand: the gateway, the settings, the gate, the telemetry; and how a body is read."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from reward_gateway.admin.models import ModelAdmin
from reward_gateway.admin.stores import StoreWatch
from reward_gateway.errors import UnsupportedMediaType
from reward_gateway.gateway import Gateway
from reward_gateway.intake.decode import decode_as, list_keys
from reward_gateway.intake.decoding_cost import TYPED
from reward_gateway.intake.kept_answers import KeptAnswers
from reward_gateway.intake.score_intake import ScoreIntake
from reward_gateway.intake.task_file import TaskFile
from reward_gateway.jobs.intake import JobIntake
from reward_gateway.jobs.service import JobService
from reward_gateway.kept_samples.keeper import SampleKeeper
from reward_gateway.runs.history import RunHistory
from reward_gateway.settings import Settings
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.traffic.deadlines import deadline_at
from reward_gateway.traffic.guard import Traffic

from .call import Call, call_of
from .entry.disconnect import ClientGone

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The parts that the routes share."""

    gateway: Gateway
    settings: Settings
    traffic: Traffic
    telemetry: Telemetry
    intake: ScoreIntake
    answers: KeptAnswers
    model_admin: ModelAdmin
    stores: StoreWatch
    tasks: TaskFile
    jobs: JobService
    job_intake: JobIntake
    runs: RunHistory | None
    samples: SampleKeeper | None


def dependencies_of(request: Request) -> Dependencies:
    """The parts that serve this request."""
    deps: Dependencies = request.app.state.dependencies
    return deps


def is_json(content_type: str | None) -> bool:
    """True for JSON in UTF-8; a missing content type is taken for it."""
    if content_type is None:
        return True
    kind, _, params = content_type.lower().partition(";")
    kind = kind.strip()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        return False
    charset = params.partition("charset=")[2].strip().strip('"')
    return charset in ("", "utf-8", "utf8")


async def read_bytes(request: Request) -> bytes:
    """The whole body, bounded by the body layer. Raises ClientGone if the client left halfway."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise ClientGone from None


class JsonRequest(NamedTuple):
    """A request whose body has arrived.

    Attributes:
        deps: the parts that serve it.
        call: who asks, on whose behalf, since when and until when.
        body: its bytes; they say that they are JSON.
    """

    deps: Dependencies
    call: Call
    body: bytes


async def receive_json(request: Request) -> JsonRequest:
    """All that a route needs of a request with a JSON body, at once. Raises UnsupportedMediaType or ClientGone."""
    call = call_of(request.scope)
    content_type = call.headers.get("content-type")
    if content_type != "application/json" and not is_json(content_type):
        raise UnsupportedMediaType("send the body as Content-Type: application/json (UTF-8)")
    try:
        body = await request.body()
    except ClientDisconnect:
        raise ClientGone from None
    return JsonRequest(request.app.state.dependencies, call, body)


async def read_json_bytes(request: Request) -> bytes:
    """The whole body of a request that says it is JSON. Raises UnsupportedMediaType or ClientGone."""
    return (await receive_json(request)).body


async def decode_body(
    request: Request, kind: type[T], body: bytes, *, check_nesting: bool = False, one_per_sample: bool = False
) -> T:
    """A body decoded to a type; in a worker process if that takes long.

    Args:
        check_nesting: check the nesting of what the type leaves open, too.
        one_per_sample: lists hold one entry per sample: of a body that takes long, longer ones are refused where it is
            decoded, before they are sent on and samples are made of them here.

    Raises:
        MalformedBody, InvalidRequest: the body is none.
        DeadlineExceeded, TooLarge, Unavailable: a worker did not end in time, needed too much memory, or was lost.
    """
    deps, takes_long = dependencies_of(request), TYPED.exceeds_limit(body)
    limits = deps.intake.limits if takes_long and one_per_sample else None
    read = partial(decode_as, kind, deps.settings.max_nesting, check=check_nesting, limits=limits)
    return await deps.intake.read(read, body, deadline_of(request), takes_long=takes_long)


async def read_json(request: Request, kind: type[T]) -> T:
    """The decoded body, its nesting checked. Raises as :func:`decode_body`, or UnsupportedMediaType."""
    return await decode_body(request, kind, await read_json_bytes(request), check_nesting=True)


async def read_keys(request: Request, body: bytes) -> Collection[str]:
    """The keys of a body that is a JSON object; none if it is something else."""
    intake = dependencies_of(request).intake
    return await intake.read(list_keys, body, deadline_of(request), takes_long=TYPED.exceeds_limit(body))


def deadline_of(request: Request, seconds: float | None = None) -> float:
    """The moment the answer is due, on the loop's clock: the smaller of the header's and ``seconds``."""
    call = call_of(request.scope)
    return deadline_at(call.arrived_at, dependencies_of(request).settings, call.deadline_s, seconds)


def json_response(body: Any, status: int = 200) -> Response:
    """JSON with finite numbers only; arrays of numpy included."""
    return Response(encode_json(body), status, media_type="application/json")


def encode_json(body: Any) -> bytes:
    """As :func:`json_response`; bytes are taken for JSON."""
    return body if isinstance(body, bytes) else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def since_ms(started: float) -> float:
    """Milliseconds since a ``perf_counter`` value."""
    return (perf_counter() - started) * 1e3
