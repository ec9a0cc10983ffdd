"""How each effect is answered: one handler per type of effect, in one table.

A handler's answer has the type that its effect names; mypy holds it to that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from reward_gateway.errors import NotFound
from reward_gateway.operations import effects
from reward_gateway.operations.effects import Effect
from reward_gateway.sample import FloatArray, Invalid, RawScores, Usage

if TYPE_CHECKING:
    from .effects_runtime import EffectsRuntime, RequestContext

A = TypeVar("A")
Handler = Callable[["EffectsRuntime", Any, "RequestContext"], Awaitable[A]]
"""Answers an effect for a request. Raises GatewayError where it cannot be answered."""

HANDLERS: dict[type[Effect[Any]], Handler[Any]] = {}

NO_SANDBOX = Invalid(
    "operation_error",
    "this gateway does not run callers' code; its operator may allow it (REWARD_GATEWAY_ALLOW_UNTRUSTED_CODE)",
)

COHORT_MARGIN_S = 0.5
"""What a cohort leaves of a request's deadline for the answer."""


def handles(effect: type[Effect[A]]) -> Callable[[Handler[A]], Handler[A]]:
    """Register the handler of a type of effect."""

    def register(handler: Handler[A]) -> Handler[A]:
        HANDLERS[effect] = handler
        return handler

    return register


@handles(effects.MergeMoments)
async def _merge_moments(
    runtime: "EffectsRuntime", effect: effects.MergeMoments, context: "RequestContext"
) -> effects.Moments:
    return await context.state.merge_moments(runtime.state, effect.stream, effect.batch)


@handles(effects.LookUpLabels)
async def _look_up_labels(
    runtime: "EffectsRuntime", effect: effects.LookUpLabels, context: "RequestContext"
) -> list[float | None]:
    return await context.state.look_up_labels(runtime.state, effect.table, effect.messages, enqueue=effect.enqueue)


@handles(effects.ReadArchive)
async def _read_archive(
    runtime: "EffectsRuntime", effect: effects.ReadArchive, context: "RequestContext"
) -> FloatArray:
    return await context.state.read_archive(runtime.state, effect.archive)


@handles(effects.AppendToArchive)
async def _append_to_archive(
    runtime: "EffectsRuntime", effect: effects.AppendToArchive, context: "RequestContext"
) -> None:
    context.state.writes.append_to_archive(effect.archive, effect.vectors)


@handles(effects.DiscardWrites)
async def _discard_writes(runtime: "EffectsRuntime", effect: effects.DiscardWrites, context: "RequestContext") -> None:
    context.state.discard_writes()


@handles(effects.ReadReferences)
async def _read_references(
    runtime: "EffectsRuntime", effect: effects.ReadReferences, context: "RequestContext"
) -> list[FloatArray | None]:
    return await runtime.state.references.read(effect.name, effect.groups)


@handles(effects.ReadSet)
async def _read_set(runtime: "EffectsRuntime", effect: effects.ReadSet, context: "RequestContext") -> Any:
    return await runtime.state.sets.read(effect.kind, effect.name)


@handles(effects.JoinCohorts)
async def _join_cohorts(
    runtime: "EffectsRuntime", effect: effects.JoinCohorts, context: "RequestContext"
) -> list[tuple[FloatArray, int]]:
    timeout_s = effect.timeout_s
    if context.deadline is not None:
        timeout_s = min(timeout_s, _left_s(context.deadline))
    joins = (
        runtime.cohorts.join(name, payload, effect.size, timeout_s, context.scope.member(name, row))
        for row, name, payload in zip(effect.rows, effect.names, effect.payloads.tolist(), strict=True)
    )
    return [(cohort.members, cohort.place) for cohort in await asyncio.gather(*joins)]


@handles(effects.ScoreWithModel)
async def _score_with_model(
    runtime: "EffectsRuntime", effect: effects.ScoreWithModel, context: "RequestContext"
) -> RawScores:
    own = Usage()  # hits and misses are counted by component, and this is a part of one
    answers = await runtime.raw_scores(
        (effect.model,), effect.batch, context.cache, context.deadline, own, context.timing
    )
    context.usage.model_calls += own.model_calls
    return answers[effect.model][0]


@handles(effects.ScoreSteps)
async def _score_steps(
    runtime: "EffectsRuntime", effect: effects.ScoreSteps, context: "RequestContext"
) -> list[effects.Vector | Invalid]:
    return await runtime.vectors.steps(
        effect.model, effect.batch, context.deadline, context.cache, context.usage, context.timing
    )


@handles(effects.TokenLogprobs)
async def _token_logprobs(
    runtime: "EffectsRuntime", effect: effects.TokenLogprobs, context: "RequestContext"
) -> list[effects.Vector | Invalid]:
    texts = effect.contexts, effect.continuations
    return await runtime.vectors.logprobs(
        effect.model, *texts, context.deadline, context.cache, context.usage, context.timing
    )


@handles(effects.RunInThread)
async def _run_in_thread(runtime: "EffectsRuntime", effect: effects.RunInThread[Any], context: "RequestContext") -> Any:
    return await asyncio.to_thread(effect.work)


@handles(effects.CompareMath)
async def _compare_math(
    runtime: "EffectsRuntime", effect: effects.CompareMath, context: "RequestContext"
) -> list[bool | Invalid]:
    return await runtime.math.compare(effect.pairs, context.deadline)


@handles(effects.AskJudge)
async def _ask_judge(
    runtime: "EffectsRuntime", effect: effects.AskJudge, context: "RequestContext"
) -> list[str | Invalid]:
    if runtime.judges is None:
        raise NotFound("there are no judges; a file of them is named by REWARD_GATEWAY_JUDGES_FILE")
    return await runtime.judges.ask(effect.judge, effect.conversations, effect.temperature, context.deadline)


@handles(effects.RunSandboxed)
async def _run_sandboxed(
    runtime: "EffectsRuntime", effect: effects.RunSandboxed, context: "RequestContext"
) -> list[effects.SandboxAnswer | Invalid]:
    if runtime.sandbox is None:
        return [NO_SANDBOX] * len(effect.programs)
    inputs = await _read_databases(runtime, effect.inputs) if effect.language == "sql" else effect.inputs
    return await runtime.sandbox.run(effect.language, effect.programs, inputs, effect.timeout_s, context.deadline)


async def _read_databases(runtime: "EffectsRuntime", given: Sequence[Any]) -> list[Any]:
    """Stored databases (sets of kind ``databases``) in the place of their names; those given whole stay."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(database for database in given if isinstance(database, str)):
        try:
            found[name] = await runtime.state.sets.read("databases", name.removeprefix("sqlite:"))
        except NotFound:
            found[name] = None  # which the sandbox says of it: it cannot be built
    return [found[database] if isinstance(database, str) else database for database in given]


def _left_s(deadline: float) -> float:
    """Seconds that a cohort may take of a request's time."""
    return max(0.05, deadline - asyncio.get_running_loop().time() - COHORT_MARGIN_S)
