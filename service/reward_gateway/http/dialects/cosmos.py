"""Cosmos-RL's reward service: enqueue a batch of images, pull its scores later, as B x 1, from any worker.

The body is JSON, a line break, and a ``.npy`` file. The batch is a job (:mod:`reward_gateway.jobs`), one for each
recipe, so that it outlives the worker that took it. A pull before the scores are ready is answered with 400, which the
client reads as "not yet"; a batch that failed with another status and the reason.
"""

import asyncio
import secrets
from typing import Any, get_args
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from reward_gateway.errors import InvalidRequest, MalformedBody
from reward_gateway.intake.nesting import check_nesting
from reward_gateway.intake.request import SampleItem
from reward_gateway.sample import Invalid, InvalidCode

from ..dependencies import dependencies_of, json_response
from .arrays import encode_pictures, read_npy
from .dialect import Dialect
from .error_formats import MESSAGE
from .policy import Policy
from .queued import name_job, read_job, submit_job
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


_OF_SERVER = frozenset(code for code in get_args(InvalidCode) if Invalid(code, "").server_caused)
"""Codes of failures that the server caused."""

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
    for name in names:
        await submit_job(request, samples, name, name_job(token, name))
    return {"uuid": token}


@dialect.post_bytes("/api/reward/pull", answer=PulledScores, content_type="application/x-www-form-urlencoded")
async def pull(request: DialectRequest, body: bytes) -> Any:
    """The scores of a batch under one recipe."""
    form = _parse_form(body)
    token, name = form.get("uuid", "")[:64], form.get("type", "")[:256]
    job = await read_job(request, name_job(token, name))
    if job is None:
        return json_response({"message": f"Not found scores for {_printable_token(token)}"}, 400)
    error = job.error or next((row["error"] for row in job.rows if not row["valid"] and row["reward"] is None), None)
    if error is not None:
        return json_response({"message": error["message"]}, 503 if error["code"] in _OF_SERVER else 422)
    if job.status != "done":
        return json_response({"message": f"the scores of this uuid are {job.status}"}, 503)
    answered = "reward_raw" if request.plan(job.recipe).group.answer == "combined" else "reward"
    return {
        "scores": {name: [[row[answered]] for row in job.rows]},
        "input_info": {},
        "duration": f"{job.seconds:.2f}",
        "decoded_duration": "0.00",
        "type": name,
    }


@dialect.post_bytes("/api/reward/ping", answer=Message, content_type="application/x-www-form-urlencoded")
async def ping(request: DialectRequest, body: bytes) -> Any:
    """Check that the service is running."""
    return {"message": "Ping request received"}


def _printable_token(token: str) -> str:
    return token if token.isalnum() else "this uuid"


def _parse_form(body: bytes) -> dict[str, str]:
    return {key: values[-1] for key, values in parse_qs(body.decode("utf-8", "replace")[:4096]).items()}
