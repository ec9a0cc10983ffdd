"""Scores samples by one recipe: the raw scores of its models, and the recipe's arithmetic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from reward_gateway.recipes.evaluate import evaluate_plan
from reward_gateway.recipes.evaluation import Check
from reward_gateway.recipes.missing_context import find_missing_context
from reward_gateway.recipes.model_scores import select_dimension
from reward_gateway.recipes.part_batches import select_part
from reward_gateway.recipes.plan import Plan
from reward_gateway.recipes.raw_component import ScoredAhead
from reward_gateway.recipes.trace import Trace
from reward_gateway.sample import Batch, Invalid, RawScores, Scored
from reward_gateway.sample.turn_marks import TEMPLATE_MARKS

from .effects_runtime import EffectsRuntime, run_effects
from .request_context import RequestContext

MARKED = Invalid(
    "invalid_field",
    "a turn of a chat template begins or ends in the response, and the recipe refuses that (template_marks: refuse)",
    param="response",
)


@dataclass(slots=True)
class PlanScores:
    """What one recipe made of samples.

    Attributes:
        rows: their places in the request; None: they are all of it.
        raw: the scores of its models, by component.
        groups: [n] the group of every sample, where the recipe compares samples of one request; else None.
    """

    plan: Plan
    batch: Batch
    rows: Sequence[int] | None
    scored: Scored
    context: RequestContext
    raw: Mapping[str, RawScores]
    groups: Sequence[str] | None


async def score_plan(
    runtime: EffectsRuntime,
    plan: Plan,
    batch: Batch,
    context: RequestContext,
    check: Check,
    *,
    ahead: ScoredAhead | None = None,
    trace: Trace | None = None,
) -> PlanScores:
    """Score samples by a recipe. Their changes of state are collected in the context.

    Args:
        check: called with the failed samples before a cohort is joined; raises if they fail the request.
        ahead: components that were scored before; no model is asked again.
        trace: notes what each step of the recipe makes of the samples; None: nobody asks.

    Raises:
        GatewayError: what ``check`` raises, or a server did not answer.
    """
    usage, timing = context.usage, context.timing
    refuse_samples(plan, batch)
    raw = {} if ahead is not None else await fetch_raw_scores(runtime, plan, batch, context)
    combining, fetched_ms = perf_counter(), timing["cache"] + timing["inference"]
    evaluation = evaluate_plan(plan, batch, raw, check, ahead, trace)
    outcome = await run_effects(evaluation, runtime, context)
    ended, effects_ms = perf_counter(), timing["cache"] + timing["inference"] - fetched_ms
    timing["combine"] = max(0.0, (ended - combining) * 1e3 - effects_ms)  # effects may overlap
    usage.skipped = outcome.skipped
    scored = Scored(
        recipe=plan.name,
        version=plan.version,
        reward=outcome.reward,
        components=outcome.components,
        reward_raw=outcome.reward_raw,
        answer=plan.group.answer,
        rewards=outcome.rewards,
        invalid=outcome.invalid,
        flags=outcome.flags,
        usage=usage,
        timing_ms=timing,
    )
    return PlanScores(plan, batch, context.rows, scored, context, raw or outcome.raw, outcome.groups)


def refuse_samples(plan: Plan, batch: Batch) -> None:
    """Fail the samples that the recipe does not score."""
    for row, reason in find_missing_context(plan, batch).items():
        batch.invalid.setdefault(row, reason)
    if plan.template_marks == "refuse":
        for row, flags in batch.flags.items():
            if TEMPLATE_MARKS in flags:
                batch.invalid.setdefault(row, MARKED)


async def fetch_raw_scores(
    runtime: EffectsRuntime, plan: Plan, batch: Batch, context: RequestContext
) -> dict[str, RawScores]:
    """Raw scores by component; a model that several components share is called once."""
    if plan.media and not plan.stages:
        await runtime.fetch_media(batch, plan.media, context)
    raw: dict[str, RawScores] = {}
    fallbacks = plan.group.cohort is None
    for call in plan.model_calls:
        shown = select_part(plan, batch, call.part)
        answers = await runtime.fetch_raw_scores(call.models, shown, context, fallbacks=fallbacks)
        for component, model in call.readers:
            scores, info = answers[model]
            raw[component.name] = select_dimension(component, scores, () if info is None else info.dimensions)
    return raw
