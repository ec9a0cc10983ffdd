"""Cosmos-RL's reward service: enqueue a batch of images, pull its scores later, as B x 1, from any worker.

The body is JSON, a line break, and a ``.npy`` file. The batch is scored after the answer, in line with everybody else;
its scores wait in Redis under the uuid. While they are not there a pull is a 400, which the client takes for "not yet";
a batch that failed is another status, with the reason.
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
from .arrays import pictures, read_npy
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
"""How long scores can be pulled."""

log = structlog.get_logger(__name__)
_working: set[asyncio.Task[None]] = set()


class Enqueued(Struct):
    """What comes before the array: prompts, and the recipes by their names (their weights are the trainer's matter)."""

    prompts: list[str]
    reward_fn: dict[str, Any]
    media_type: str = "image"


class Batch(Struct):
    """What a batch can be pulled by."""

    uuid: str


class PulledScores(Struct):
    """The scores of a batch under one recipe, as B x 1."""

    scores: dict[str, list[list[float]]]
    input_info: dict[str, Any]
    duration: str
    decoded_duration: str
    type: str


class Message(Struct):
    """A word for people."""

    message: str


_decoder = msgspec.json.Decoder(Enqueued)


@dialect.post_bytes("/api/reward/enqueue", answer=Batch)
async def enqueue(ask: DialectRequest, body: bytes) -> Any:
    """Take a batch and give its uuid."""
    head, line, rest = body.partition(b"\n")
    try:
        asked = _decoder.decode(head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedBody("the body: expected JSON, a line break and a .npy file") from None
    check_nesting(head, dependencies_of(ask.request).settings.max_nesting)
    if asked.media_type != "image" or not line:
        raise InvalidRequest("media_type: images are scored here; latents are not", param="media_type")
    array = read_npy(rest, "array")
    if len(array.shape) != 4 or len(array) != len(asked.prompts):
        raise InvalidRequest("prompts: give one for each image [n, height, width, channels]", param="prompts")
    images = await asyncio.to_thread(pictures, array, "array")
    names = [ask.plan(name).name for name in asked.reward_fn] or [ask.plan().name]
    samples = [SampleItem(prompt=p, images=[i]) for p, i in zip(asked.prompts, images, strict=True)]
    token = secrets.token_hex(16)
    results = ask.results  # before the answer: without a store nothing can be promised
    for name in names:
        await results.put(_key(token, name), {"pending": True}, TTL_S)
    task = asyncio.get_running_loop().create_task(_work(ask, token, names, samples))
    _working.add(task)
    task.add_done_callback(_working.discard)
    return {"uuid": token}


@dialect.post_bytes("/api/reward/pull", answer=PulledScores, content_type="application/x-www-form-urlencoded")
async def pull(ask: DialectRequest, body: bytes) -> Any:
    """The scores of a batch under one recipe."""
    form = _form(body)
    token, name = form.get("uuid", "")[:64], form.get("type", "")[:256]
    found = await ask.results.read(_key(token, name))
    if found is None or found.get("pending"):
        return json_response({"message": f"Not found scores for {_safe(token)}"}, 400)
    if "failed" in found:
        return json_response({"message": found["failed"]}, found["status"])
    return found


@dialect.post_bytes("/api/reward/ping", answer=Message, content_type="application/x-www-form-urlencoded")
async def ping(ask: DialectRequest, body: bytes) -> Any:
    """Say that somebody is there."""
    return {"message": "Ping request received"}


async def _work(ask: DialectRequest, token: str, names: list[str], samples: list[SampleItem]) -> None:
    begun = perf_counter()
    for name in names:
        try:
            async with dependencies_of(ask.request).traffic.admission.enter():
                rewards = (await ask.score(samples, name)).numbers()
        except GatewayError as error:
            outcome: dict[str, Any] = {"failed": error.message, "status": 503 if error.status >= 500 else 422}
        except Exception as error:  # nobody waits for this task; who pulls has to learn of it
            log.error("request failed", route="/api/reward/enqueue", **describe_exception(error))
            outcome = {"failed": "a fault of this gateway; its log has the details", "status": 500}
        else:
            outcome = {
                "scores": {name: [[reward] for reward in rewards]},
                "input_info": {},
                "duration": f"{perf_counter() - begun:.2f}",
                "decoded_duration": "0.00",
                "type": name,
            }
        with suppress(StateUnavailable):  # then there is nobody to tell: what is pending expires
            await ask.results.put(_key(token, name), outcome, TTL_S)


def _key(token: str, name: str) -> str:
    return f"cosmos:{token}:{name}"


def _safe(token: str) -> str:
    return token if token.isalnum() else "this uuid"


def _form(body: bytes) -> dict[str, str]:
    return {key: held[-1] for key, held in parse_qs(body.decode("utf-8", "replace")[:4096]).items()}
