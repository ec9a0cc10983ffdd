"""oat's remote oracles: ``--oracle remote --remote_rm_url http://HOST:8080``, which post MessagePack.

Either responses are scored, or pairs of candidates are compared: the probability that the first wins is the sigmoid of
the difference of their rewards, as in Bradley and Terry's model. One sample that cannot be scored fails the request,
which oat repeats ten times.
"""

from functools import partial
from typing import Any

import msgspec
from msgspec import Struct
from scipy.special import expit
from starlette.responses import Response

from reward_gateway.errors import InvalidRequest, MalformedBody
from reward_gateway.intake.decoding_cost import is_long_message
from reward_gateway.intake.limits import InputLimits
from reward_gateway.sample.fields import SampleItem

from ..dependencies import deadline_of, dependencies_of
from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest

dialect = Dialect(
    Policy(
        name="oat",
        title="oat",
        clients=("oat",),
        prefix="oat",
        deadline_s=4.5,
    )
)
router = dialect.router

MESSAGE_PACK = "application/msgpack"


class Feedback(Struct, forbid_unknown_fields=True):
    """A batch: responses to score, or pairs of candidates to compare; oat sends the other list empty."""

    batch_prompt: list[str]
    batch_response: list[str] = []
    batch_candidates: list[tuple[str, str]] = []


@dialect.post_bytes("/get_feedback", content_type=MESSAGE_PACK, answer_type=MESSAGE_PACK)
async def get_feedback(request: DialectRequest, body: bytes) -> Response:
    """Scores of responses, or probabilities that the first of two candidates wins: MessagePack in, MessagePack out.

    `{"batch_prompt": [text], "batch_response": [text], "batch_candidates": [[text, text]]}`, one of the last two empty
    → `{"batch_score": [number], "batch_first_win_prob": [number]}`. No field of the body chooses the recipe.
    """
    intake = dependencies_of(request.http_request).intake
    read = partial(decode_feedback, intake.limits)
    batch = await intake.read(read, body, deadline_of(request.http_request), takes_long=is_long_message(body))
    prompts, pairs = batch.batch_prompt, batch.batch_candidates
    samples = [SampleItem(prompt=p, response=r) for p, r in zip(prompts, batch.batch_response, strict=False)]
    samples += [SampleItem(prompt=p, response=r) for p, pair in zip(prompts, pairs, strict=False) for r in pair]
    if not samples:
        request.plan()
        return _answer([], [])
    numbers = (await request.score(samples)).numbers()
    if not pairs:
        return _answer(numbers, [])
    return _answer([], [float(expit(first - second)) for first, second in zip(*[iter(numbers)] * 2, strict=True)])


def decode_feedback(limits: InputLimits, body: bytes) -> Feedback:
    """Decode a body.

    Raises:
        MalformedBody: no MessagePack.
        InvalidRequest: MessagePack of another shape, extension types included, or lists of different lengths.
        TooLarge: more samples than ``limits`` allow.
    """
    try:
        batch = msgspec.msgpack.decode(body, type=Feedback)
    except (msgspec.ValidationError, RecursionError):
        raise InvalidRequest(
            "the body: expected batch_prompt, and batch_response or batch_candidates (pairs), as lists of texts"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedBody("the body is not MessagePack") from None
    n, responses, pairs = len(batch.batch_prompt), len(batch.batch_response), len(batch.batch_candidates)
    limits.samples(max(n, responses, 2 * pairs))
    if responses and pairs:
        raise InvalidRequest("batch_candidates: leave it empty where batch_response is not", param="batch_candidates")
    given = "batch_candidates" if pairs else "batch_response"
    if n != responses + pairs:
        raise InvalidRequest(f"{given}: {responses + pairs} entries for {n} prompts", param=given)
    return batch


def _answer(scores: list[float], probabilities: list[float]) -> Response:
    answer: dict[str, Any] = {"batch_score": scores, "batch_first_win_prob": probabilities}
    return Response(msgspec.msgpack.encode(answer), media_type=MESSAGE_PACK)
