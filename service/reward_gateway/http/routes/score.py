"""``POST /v1/score``: samples in, rewards out."""

from time import perf_counter

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.errors import InvalidRequest
from reward_gateway.gateway import ScoreOptions
from reward_gateway.intake.decode import decode
from reward_gateway.intake.request import Options, ScoreRequest, score_request
from reward_gateway.traffic.deadlines import seconds_of_milliseconds

from ..body_dispatch import handler_for_body
from ..call import call_of
from ..dependencies import deadline_of, dependencies_of, json_response, read_json_bytes, since_ms
from ..encode import encode_scored, timing
from ..openapi import IDEMPOTENCY_KEY, describe, parameter
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
            parameter("reward", "query", "Recipe, where the body names none."),
            IDEMPOTENCY_KEY,
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

    Which recipe answers: `reward` in the body, else `?reward=`, else the body's `model` where it names a
    recipe, else the default of the recipe file. One bad sample never fails its neighbours.
    """
    deps = dependencies_of(request)
    body = await read_json_bytes(request)
    started = perf_counter()
    try:
        asked = decode(score_request, body, deps.settings.max_nesting)
    except InvalidRequest:
        other = handler_for_body("/v1/score", body, own="samples")
        if other is None:
            raise
        return await other(request)
    wanted = asked.options or Options()
    options = score_options(request, wanted)
    reward = reward_asked(request, asked.reward, asked.model)
    batch = await deps.batches.make(asked.samples, len(body))
    decode_ms = since_ms(started)
    scored = await deps.gateway.score(batch, reward, options)
    call = call_of(request.scope)
    total_ms = since_ms(call.arrived)
    call.stages = timing(scored, decode_ms, total_ms)
    return json_response(encode_scored(batch, scored, explain=options.explain, decode_ms=decode_ms, total_ms=total_ms))


def reward_asked(request: Request, reward: str | None, model: str | None = None) -> str:
    """Which recipe answers, here and in every dialect. Raises NotFound for one that is named and not there."""
    gateway = dependencies_of(request).gateway
    query = request.query_params.get("reward") if request.scope["query_string"] else None
    named = model if model is not None and gateway.has_reward(model) else None
    return gateway.resolve_reward(reward, query, named)


def score_options(request: Request, wanted: Options) -> ScoreOptions:
    """The dataplane's options. Raises InvalidRequest for a deadline or a default that makes no sense."""
    if wanted.on_invalid == "default" and wanted.default_reward is None:
        raise InvalidRequest("on_invalid: default needs default_reward", param="options.default_reward")
    seconds = None if wanted.deadline_ms is None else seconds_of_milliseconds(wanted.deadline_ms, "options.deadline_ms")
    return ScoreOptions(
        on_invalid=wanted.on_invalid,
        default_reward=wanted.default_reward,
        cache=wanted.cache or "use",
        explain=wanted.explain is not False,
        deadline=deadline_of(request, seconds),
        scope=call_of(request.scope).scope,
    )
