"""Requests whose samples two versions of a recipe score: each gets its groups, and the answers are joined in order."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from reward_gateway.errors import DeadlineExceeded, GatewayError, NotSetUp, Overloaded, StateUnavailable, Unavailable
from reward_gateway.recipes.canaries import choose_rows
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import Batch, ComponentScores, Invalid, InvalidCode, Scored, Usage

from .plan_scorer import PlanScores
from .request_context import RequestContext

Part = tuple[Plan, Sequence[int] | None]
"""A version, and the rows that it scores; None: all."""


def list_versions(plan: Plan) -> list[Plan]:
    """The versions of a recipe that may score now."""
    canary = plan.active_canary
    if canary is None:
        return [plan]
    return [canary.plan] if canary.weight >= 1 else [plan, canary.plan]


def split_rows(plan: Plan, batch: Batch, recorded: Scored | None = None) -> list[Part]:
    """Which version scores which rows of a batch: the recipe's own first.

    Args:
        recorded: an earlier answer to the same request: each sample stays with the version that scored it.
    """
    canary = plan.canary if recorded is not None else plan.active_canary
    if canary is None:
        return [(plan, None)]
    if recorded is not None:
        scored_by = _versions_by_row(recorded)
        chosen = [row for row, version in enumerate(scored_by) if version not in (plan.version, "")]
    elif canary.weight >= 1:
        return [(canary.plan, None)]
    else:
        chosen = choose_rows(plan.name, canary, batch)
    if not chosen:
        return [(plan, None)]
    if len(chosen) == batch.size:
        return [(canary.plan, None)]
    taken = set(chosen)
    return [(plan, [row for row in range(batch.size) if row not in taken]), (canary.plan, chosen)]


def _versions_by_row(scored: Scored) -> Sequence[str]:
    """The version that scored each row."""
    return [scored.version] * len(scored.reward) if scored.versions is None else scored.versions


def can_complete(plan: Plan, recorded: Scored) -> bool:
    """Whether what an earlier answer lacks can be scored by the versions that gave the rest."""
    known = {plan.version} if plan.canary is None else {plan.version, plan.canary.plan.version}
    return known.issuperset(_versions_by_row(recorded))


def find_retried_rows(plan: Plan, recorded: Scored) -> set[int]:
    """The rows of an earlier answer that failed for a cause of the server, and may be scored without the others."""
    by_version = {plan.version: plan} if plan.canary is None else {plan.canary.plan.version: plan.canary.plan}
    by_version[plan.version] = plan
    versions = _versions_by_row(recorded)
    return {
        row for row, reason in recorded.invalid.items() if reason.server_caused and by_version[versions[row]].splittable
    }


def take_rows(batch: Batch, rows: Sequence[int]) -> Batch:
    """Some samples as a new batch, with what is known of them."""
    part = batch.select(rows)
    for place, row in enumerate(rows):
        if row in batch.invalid:
            part.invalid[place] = batch.invalid[row]
        if row in batch.flags:
            part.flags[place] = batch.flags[row]
    return part


async def score_parts(
    parts: Sequence[Part],
    batch: Batch,
    context: RequestContext,
    score: Callable[[Plan, Batch, RequestContext], Awaitable[PlanScores]],
    *,
    fails: bool,
) -> list[PlanScores]:
    """The scores of each version, at the same time. Where a version cannot score at all, its samples are invalid.

    Args:
        score: scores a version's samples under a context of their own; ``context.rows`` are their places.
        fails: whether one failed sample fails the request.

    Raises:
        GatewayError: no version could score, or one could not and ``fails``, or for a cause of the caller.
    """

    async def score_part(plan: Plan, rows: Sequence[int]) -> PlanScores:
        own = RequestContext(
            context.deadline,
            context.cache,
            Usage(samples=len(rows)),
            dict.fromkeys(context.timing, 0.0),
            context.scope,
            context.fetched,
            rows=rows,
        )
        part = take_rows(batch, rows)
        try:
            return await score(plan, part, own)
        except (Unavailable, DeadlineExceeded, NotSetUp) as error:
            if fails:
                raise
            failures.append(error)
            return _fail_part(plan, part, own, error)

    failures: list[GatewayError] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(score_part(plan, rows or ())) for plan, rows in parts]
    except BaseExceptionGroup as raised:
        raise raised.exceptions[0] from None
    if len(failures) == len(parts):
        raise failures[0]
    return [task.result() for task in tasks]


def _fail_part(plan: Plan, batch: Batch, context: RequestContext, error: GatewayError) -> PlanScores:
    """Samples that a version could not score, all for one reason."""
    size = batch.size
    code: InvalidCode
    match error:
        case DeadlineExceeded():
            code = "deadline_exceeded"
        case StateUnavailable():
            code = "state_unavailable"
        case Overloaded():
            code = "overloaded"
        case _:
            code = "model_unavailable"
    reason = Invalid(code, error.message, retry_after_s=error.retry_after_s)
    nothing = np.full(size, np.nan)
    context.drop_state()
    scored = Scored(
        plan.name,
        plan.version,
        nothing,
        {component.name: ComponentScores(nothing, nothing) for component in plan.components},
        rewards=[None] * size if plan.returns == "vector" else None,
        reward_raw=nothing.copy() if plan.grouped else None,
        answer=plan.group.answer,
        invalid=dict.fromkeys(range(size), reason) | batch.invalid,
        flags=dict(batch.flags),
        usage=context.usage,
        timing_ms=context.timing,
    )
    return PlanScores(plan, batch, context.rows, scored, context, {}, batch.groups() if plan.grouped else None)
