"""Handlers of effects: one per type of effect, in one table.

mypy checks that a handler's answer has the type that its effect declares.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from reward_gateway.backends.math.comparison import Tolerances
from reward_gateway.errors import NotFound
from reward_gateway.operations import effects
from reward_gateway.operations.effects import Effect
from reward_gateway.parking import park
from reward_gateway.sample import FloatArray, Invalid, RawScores, Usage
from reward_gateway.state.coefficients import Update

from .judge_questions import ask_again, ask_for_texts, ask_for_tokens, name_problems
from .request_context import RequestContext
from .services import ScoringServices

A = TypeVar("A")
Handler = Callable[[ScoringServices, Any, RequestContext], Awaitable[A]]
"""Answers an effect for a request. Raises GatewayError if it cannot be answered."""

HANDLERS: dict[type[Effect[Any]], Handler[Any]] = {}

NO_SANDBOX = Invalid(
    "operation_error",
    "this gateway does not run callers' code; its operator may allow it (REWARD_GATEWAY_ALLOW_UNTRUSTED_CODE)",
)

COHORT_MARGIN_S = 0.5
"""Seconds before a request's deadline at which a cohort stops waiting, to leave time for the answer."""

PARKED_AFTER_S = 0.05
"""Seconds that a request waits for the samples of others before it gives up its place."""


def register_handler(effect: type[Effect[A]]) -> Callable[[Handler[A]], Handler[A]]:
    """Register the handler of a type of effect."""

    def register(handler: Handler[A]) -> Handler[A]:
        HANDLERS[effect] = handler
        return handler

    return register


@register_handler(effects.MergeMoments)
async def _merge_moments(
    services: ScoringServices, effect: effects.MergeMoments, context: RequestContext
) -> effects.Moments:
    return await context.state.merge_moments(services.state, effect.stream, effect.batch)


@register_handler(effects.UpdateCoefficient)
async def _update_coefficient(
    services: ScoringServices, effect: effects.UpdateCoefficient, context: RequestContext
) -> float:
    update = Update(effect.rule, effect.amount, effect.start, effect.least, effect.most)
    return await context.state.update_coefficient(services.state, effect.name, update)


@register_handler(effects.LookUpLabels)
async def _look_up_labels(
    services: ScoringServices, effect: effects.LookUpLabels, context: RequestContext
) -> list[float | None]:
    return await context.state.look_up_labels(services.state, effect.table, effect.messages, enqueue=effect.enqueue)


@register_handler(effects.ReadArchive)
async def _read_archive(services: ScoringServices, effect: effects.ReadArchive, context: RequestContext) -> FloatArray:
    return await context.state.read_archive(services.state, effect.archive)


@register_handler(effects.AppendToArchive)
async def _append_to_archive(
    services: ScoringServices, effect: effects.AppendToArchive, context: RequestContext
) -> None:
    context.state.writes.append_to_archive(effect.archive, effect.vectors)


@register_handler(effects.DiscardWrites)
async def _discard_writes(services: ScoringServices, effect: effects.DiscardWrites, context: RequestContext) -> None:
    context.state.discard_writes()


@register_handler(effects.ReadReferences)
async def _read_references(
    services: ScoringServices, effect: effects.ReadReferences, context: RequestContext
) -> list[FloatArray | None]:
    return await services.state.references.within(context.scope.space).read(effect.name, effect.groups)


@register_handler(effects.ReadSet)
async def _read_set(services: ScoringServices, effect: effects.ReadSet, context: RequestContext) -> Any:
    return await services.state.sets.within(context.scope.space).read(effect.kind, effect.name)


@register_handler(effects.JoinCohorts)
async def _join_cohorts(
    services: ScoringServices, effect: effects.JoinCohorts, context: RequestContext
) -> list[tuple[FloatArray, int]]:
    timeout_s, space = effect.timeout_s, context.scope.space
    if context.deadline is not None:
        timeout_s = min(timeout_s, _cohort_time_s(context.deadline))
    joins = (
        services.cohorts.join(name, payload, effect.size, timeout_s, context.name_member(name, row), space)
        for row, name, payload in zip(effect.rows, effect.names, effect.payloads.tolist(), strict=True)
    )
    # The other samples of a cohort may need the place of this request.
    parking = asyncio.get_running_loop().call_later(PARKED_AFTER_S, park, timeout_s)
    try:
        return [(cohort.members, cohort.place) for cohort in await asyncio.gather(*joins)]
    finally:
        parking.cancel()


@register_handler(effects.ScoreWithModel)
async def _score_with_model(
    services: ScoringServices, effect: effects.ScoreWithModel, context: RequestContext
) -> RawScores:
    effect_usage = Usage()  # hits and misses are counted per component, and this call is a part of one
    answers = await services.fetch_raw_scores((effect.model,), effect.batch, replace(context, usage=effect_usage))
    context.usage.model_calls += effect_usage.model_calls
    scores = answers[effect.model][0]
    # With what was found out about the samples meanwhile: an operation in another process has a copy of the batch.
    return replace(scores, invalid=effect.batch.invalid | scores.invalid)


@register_handler(effects.FetchMedia)
async def _fetch_media(
    services: ScoringServices, effect: effects.FetchMedia, context: RequestContext
) -> Mapping[int, Invalid]:
    left_out = effect.batch.invalid.copy()
    await services.fetch_media(effect.batch, effect.fields, context)
    return {row: reason for row, reason in effect.batch.invalid.items() if row not in left_out}


@register_handler(effects.AskModels)
async def _ask_models(
    services: ScoringServices, effect: effects.AskModels, context: RequestContext
) -> Mapping[str, tuple[RawScores, Sequence[str]]]:
    asked = effect.batch.invalid.copy()
    answers = await services.fetch_raw_scores(effect.models, effect.batch, context, fallbacks=effect.fallbacks)
    noticed = {row: reason for row, reason in effect.batch.invalid.items() if row not in asked}
    return {
        model: (replace(scores, invalid=noticed | scores.invalid), () if info is None else info.dimensions)
        for model, (scores, info) in answers.items()
    }


@register_handler(effects.ScoreSteps)
async def _score_steps(
    services: ScoringServices, effect: effects.ScoreSteps, context: RequestContext
) -> list[effects.Vector | Invalid]:
    return await services.vectors.fetch_step_scores(effect.model, effect.batch, context)


@register_handler(effects.TokenLogprobs)
async def _token_logprobs(
    services: ScoringServices, effect: effects.TokenLogprobs, context: RequestContext
) -> list[effects.Vector | Invalid]:
    texts = effect.contexts, effect.continuations
    return await services.vectors.fetch_logprobs(effect.model, *texts, context)


@register_handler(effects.CompareMath)
async def _compare_math(
    services: ScoringServices, effect: effects.CompareMath, context: RequestContext
) -> list[tuple[bool, str] | Invalid]:
    return await services.math.compare(
        effect.pairs,
        context.deadline,
        Tolerances(effect.rel_tol, effect.min_digits, effect.strict),
        effect.timeout_s,
    )


@register_handler(effects.AskJudge)
async def _ask_judge(
    services: ScoringServices, effect: effects.AskJudge, context: RequestContext
) -> list[str | Invalid]:
    return await ask_for_texts(services.judges, effect, context)


@register_handler(effects.AskJudgeForTokens)
async def _ask_judge_for_tokens(
    services: ScoringServices, effect: effects.AskJudgeForTokens, context: RequestContext
) -> list[effects.JudgeAnswer | Invalid]:
    return await ask_for_tokens(services.judges, effect, context)


@register_handler(effects.AskJudgeAgain)
async def _ask_judge_again(
    services: ScoringServices, effect: effects.AskJudgeAgain, context: RequestContext
) -> list[str | Invalid] | list[effects.JudgeAnswer | Invalid] | None:
    return await ask_again(services.judges, effect, context)


@register_handler(effects.FindJudgeLimits)
async def _find_judge_limits(
    services: ScoringServices, effect: effects.FindJudgeLimits, context: RequestContext
) -> list[float | None] | None:
    if services.judges is None:
        return None
    return services.judges.find_time_limits(effect.judge, name_problems(effect.problems, context))


@register_handler(effects.FindFallbackJudge)
async def _find_fallback_judge(
    services: ScoringServices, effect: effects.FindFallbackJudge, context: RequestContext
) -> str | None:
    return services.judges.find_fallback(effect.judge) if services.judges is not None else None


@register_handler(effects.ReadJudgeVersion)
async def _read_judge_version(
    services: ScoringServices, effect: effects.ReadJudgeVersion, context: RequestContext
) -> str:
    return services.judges.read_version(effect.judge) if services.judges is not None else ""


@register_handler(effects.RunSandboxed)
async def _run_sandboxed(
    services: ScoringServices, effect: effects.RunSandboxed, context: RequestContext
) -> list[effects.SandboxAnswer | Invalid]:
    if effect.sandbox is not None:
        return await services.remote_sandboxes.run(
            effect.sandbox, effect.programs, effect.inputs, effect.timeout_s, context.deadline, effect.limits
        )
    if services.sandbox is None:
        return [NO_SANDBOX] * len(effect.programs)
    inputs = await _read_databases(services, effect.inputs, context) if effect.language == "sql" else effect.inputs
    return await services.sandbox.run(
        effect.language, effect.programs, inputs, effect.timeout_s, context.deadline, effect.limits
    )


@register_handler(effects.FindTimeLimits)
async def _find_time_limits(
    services: ScoringServices, effect: effects.FindTimeLimits, context: RequestContext
) -> list[float | None]:
    owner = context.scope.cache_owner
    return [services.time_limits.find(f"{owner}/{name}", effect.factor, effect.most_s) for name in effect.problems]


@register_handler(effects.NotePassingRuns)
async def _note_passing_runs(
    services: ScoringServices, effect: effects.NotePassingRuns, context: RequestContext
) -> None:
    for name, seconds in zip(effect.problems, effect.seconds, strict=True):
        services.time_limits.note_passing(f"{context.scope.cache_owner}/{name}", seconds)


async def _read_databases(
    services: ScoringServices, inputs: Sequence[Any], context: RequestContext
) -> list[dict[str, Any]]:
    """Inputs of queries with databases in place of their names: a file of the operator's folder, else a stored set of
    kind ``databases``. Only here a file is named: what a caller gave stays under ``database``."""
    stored: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(given["database"] for given in inputs if isinstance(given["database"], str)):
        if (file := await asyncio.to_thread(services.databases.find, name)) is not None:
            stored[name] = {"file": str(file)}
            continue
        try:
            sets = services.state.sets.within(context.scope.space)
            stored[name] = {"database": await sets.read("databases", name.removeprefix("sqlite:"))}
        except NotFound:
            stored[name] = {"database": None}  # the sandbox reports that it cannot be built
    return [
        {
            "max_rows": given["max_rows"],
            **(stored[given["database"]] if isinstance(given["database"], str) else {"database": given["database"]}),
        }
        for given in inputs
    ]


def _cohort_time_s(deadline: float) -> float:
    """Seconds that a cohort may wait before a request's deadline."""
    return max(0.05, deadline - asyncio.get_running_loop().time() - COHORT_MARGIN_S)
