"""``POST /v1/score``: samples in, rewards out."""

import asyncio
from functools import partial
from time import perf_counter

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.decode import decode_as
from reward_gateway.intake.decoding_cost import SHORT, TYPED
from reward_gateway.intake.request import ScoreRequest
from reward_gateway.sample.scores import LARGE_ANSWER

from ..body_dispatch import handler_for_body
from ..dependencies import read_keys, receive_json
from ..encode import encode_scored, timing
from ..openapi import IDEMPOTENCY_KEY, RUN, RUN_STEP, describe, parameter
from ..repeats import ScoredResponse
from ..routing import raw_router
from ..wire.response import ScoreResponse

router = raw_router("score")

EXAMPLE = {
    "samples": [
        {
            "id": "s1",
            "prompt": "How do I boil an egg?",
            "response": "Put it in boiling water for 8 minutes, then in cold water.",
        }
    ]
}


@router.post(
    "/v1/score",
    **describe(
        "Score samples by a recipe",
        body=ScoreRequest,
        answer=ScoreResponse,
        example=EXAMPLE,
        parameters=(
            parameter("reward", "query", "Recipe, where body and path name none."),
            parameter("chat_format", "query", "As `options.chat_format`, which goes before it."),
            IDEMPOTENCY_KEY,
            RUN,
            RUN_STEP,
            parameter(
                "X-Request-Deadline-Ms",
                "header",
                "Deadline; the smaller of this and options.deadline_ms holds.",
                {"type": "number", "exclusiveMinimum": 0},
            ),
        ),
    ),
)
async def score(request: Request) -> Response:
    """Results stand in the order of the samples, one for one.

    Which recipe answers: `reward` in the body, else `/r/NAME/` before the path, else `?reward=`, else the body's
    `model`, else the default of the recipe file. Each names a recipe, an alias, or a served model (its raw score). One
    bad sample never fails its neighbours.
    """
    deps, call, body = await receive_json(request)
    started = perf_counter()
    address, chosen = call.recipe, call.chat_format
    read, is_short = partial(decode_as, ScoreRequest, deps.settings.max_nesting), len(body) <= SHORT
    due = call.scope, call.arrived_at, call.deadline_s
    try:
        if is_short or not TYPED.exceeds_limit(body):
            prepared = await deps.intake.prepare(
                read(body), *due, address=address, chat_format=chosen, body_bytes=len(body)
            )
        else:
            prepared = await deps.intake.read_and_prepare(
                read, body, *due, address=address, chat_format=chosen, takes_long=True
            )
    except InvalidRequest:
        other = handler_for_body("/v1/score", await read_keys(request, body), own="samples")
        if other is None:
            raise
        return await other(request)
    batch, reward, options = prepared
    decode_ms = (perf_counter() - started) * 1e3
    scored = await deps.gateway.score(batch, reward, options)
    total_ms = (perf_counter() - call.arrived) * 1e3
    call.stages = times = timing(scored, decode_ms, total_ms)
    encode = partial(encode_scored, batch, scored, times, explain=options.explain)
    content = encode() if is_short or scored.count_numbers() <= LARGE_ANSWER else await asyncio.to_thread(encode)
    if options.cache == "refresh":
        deps.answers.clear()
    return ScoredResponse(content, (options.fixed,))
