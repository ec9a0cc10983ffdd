"""Cosmos-RL's reward service: enqueue a batch of images, pull its scores later, as B x 1, from any worker.

The body is JSON, a line break, and a ``.npy`` file. The batch is scored after the response is sent, under the same
admission control as every request; its scores are kept in Redis under the uuid. A pull before they are ready is
answered with 400, which the client reads as "not yet"; a batch that failed with another status and the reason.
"""

import asyncio
import secrets
from contextlib import suppress
from time import perf_counter
from typing import Any
from urllib.parse import parse_qs

import msgspec
import structlog
from msgspec import Struct

from reward_gateway.errors import GatewayError, InvalidRequest, MalformedBody, StateUnavailable
from reward_gateway.intake.nesting import check_nesting
from reward_gateway.intake.request import SampleItem
from reward_gateway.telemetry.logs import describe_exception

from ..dependencies import dependencies_of, json_response
from .arrays import encode_pictures, read_npy
from .dialect import Dialect
from .error_formats import MESSAGE
from .policy import Policy
from .request import DialectRequest

dialect = Dialect(
    Policy(
        name="cosmos_rl",
        title="Cosmos-RL",
        clients=("Cosmos-RL",),
        prefix="cosmos_rl",
        deadline_s=300.0,
        error_format=MESSAGE,
    )
)
router = dialect.router

TTL_S = 3600.0
"""Seconds for which scores can be pulled."""

log = structlog.get_logger(__name__)
_working: set[asyncio.Task[None]] = set()


class Enqueued(Struct):
    """The JSON before the array: prompts, and the recipes by name. The gateway ignores their weights."""

    prompts: list[str]
    reward_fn: dict[str, Any]
    media_type: str = "image"


class Batch(Struct):
    """The id under which the scores of a batch can be pulled."""

    uuid: str


class PulledScores(Struct):
    """The scores of a batch under one recipe, as B x 1."""

    scores: dict[str, list[list[float]]]
    input_info: dict[str, Any]
    duration: str
    decoded_duration: str
    type: str


class Message(Struct):
    """A message to a person."""

    message: str


_decoder = msgspec.json.Decoder(Enqueued)


@dialect.post_bytes("/api/reward/enqueue", answer=Batch)
async def enqueue(request: DialectRequest, body: bytes) -> Any:
    """Accept a batch for scoring; returns its uuid."""
    head, separator, array_bytes = body.partition(b"\n")
    try:
        enqueued = _decoder.decode(head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedBody("the body: expected JSON, a line break and a .npy file") from None
    check_nesting(head, dependencies_of(request.http_request).settings.max_nesting)
    if enqueued.media_type != "image" or not separator:
        raise InvalidRequest("media_type: expected image; latents cannot be scored", param="media_type")
    array = read_npy(array_bytes, "array")
    if len(array.shape) != 4 or len(array) != len(enqueued.prompts):
        raise InvalidRequest("prompts: expected one per image [n, height, width, channels]", param="prompts")
    images = await asyncio.to_thread(encode_pictures, array, "array")
    names = list(enqueued.reward_fn) or [request.plan().name]  # scores are pulled under the name that was asked for
    for name in names:
        await request.learn_models(name)
        request.plan(name)
    samples = [
        SampleItem(prompt=prompt, images=[image]) for prompt, image in zip(enqueued.prompts, images, strict=True)
    ]
    token = secrets.token_hex(16)
    results = request.results  # raises before the response if there is no store to keep the scores in
    for name in names:
        await results.put(_result_key(token, name), {"pending": True}, TTL_S)
    task = asyncio.get_running_loop().create_task(_score_batch(request, token, names, samples))
    _working.add(task)
    task.add_done_callback(_working.discard)
    return {"uuid": token}


@dialect.post_bytes("/api/reward/pull", answer=PulledScores, content_type="application/x-www-form-urlencoded")
async def pull(request: DialectRequest, body: bytes) -> Any:
    """The scores of a batch under one recipe."""
    form = _parse_form(body)
    token, name = form.get("uuid", "")[:64], form.get("type", "")[:256]
    stored = await request.results.read(_result_key(token, name))
    if stored is None or stored.get("pending"):
        return json_response({"message": f"Not found scores for {_printable_token(token)}"}, 400)
    if "failed" in stored:
        return json_response({"message": stored["failed"]}, stored["status"])
    return stored


@dialect.post_bytes("/api/reward/ping", answer=Message, content_type="application/x-www-form-urlencoded")
async def ping(request: DialectRequest, body: bytes) -> Any:
    """Check that the service is running."""
    return {"message": "Ping request received"}


async def _score_batch(request: DialectRequest, token: str, names: list[str], samples: list[SampleItem]) -> None:
    started = perf_counter()
    for name in names:
        try:
            async with dependencies_of(request.http_request).traffic.admission.enter():
                rewards = (await request.score(samples, name)).numbers()
        except GatewayError as error:
            outcome: dict[str, Any] = {"failed": error.message, "status": 503 if error.status >= 500 else 422}
        except Exception as error:  # nobody awaits this task: the client reads the failure when it pulls
            log.error("request failed", route="/api/reward/enqueue", **describe_exception(error))
            outcome = {"failed": "internal error; the gateway's log has the details", "status": 500}
        else:
            outcome = {
                "scores": {name: [[reward] for reward in rewards]},
                "input_info": {},
                "duration": f"{perf_counter() - started:.2f}",
                "decoded_duration": "0.00",
                "type": name,
            }
        with suppress(StateUnavailable):  # the failure cannot be stored; the pending entry expires
            await request.results.put(_result_key(token, name), outcome, TTL_S)


def _result_key(token: str, name: str) -> str:
    return f"cosmos:{token}:{name}"


def _printable_token(token: str) -> str:
    return token if token.isalnum() else "this uuid"


def _parse_form(body: bytes) -> dict[str, str]:
    return {key: values[-1] for key, values in parse_qs(body.decode("utf-8", "replace")[:4096]).items()}
