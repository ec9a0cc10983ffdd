"""The runtime of operations: it runs a computation to its end and answers each of its effects."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from reward_gateway.backends.workers.pool import NotDone
from reward_gateway.errors import DeadlineExceeded, GatewayError, TooLarge, Unavailable
from reward_gateway.operations.effects import Effect, Effectful, RunInWorker, Together, Within
from reward_gateway.sample import Invalid

from .effect_handlers import HANDLERS, register_handler
from .request_context import RequestContext
from .services import ScoringServices

Answer = TypeVar("Answer")

UNFINISHED = {
    "time": Invalid("deadline_exceeded", "the deadline passed before this was computed"),
    "memory": Invalid("operation_error", "computing this needs too much memory; send less at once"),
    "lost": Invalid("worker_lost", "the process that computed this has ended; send it again"),
}
"""The reasons of work that did not come to its end."""

_FAILURES: dict[str, type[GatewayError]] = {"deadline_exceeded": DeadlineExceeded, "worker_lost": Unavailable}
"""Errors of a request whose work did not come to its end; any other is TooLarge."""


class EffectsRuntime(ScoringServices):
    """The services that operations may use, through effects. Takes the arguments of :class:`ScoringServices`."""

    async def answer_effect(self, effect: Effect[Answer], context: RequestContext) -> Answer:
        """Answer one effect.

        Raises:
            GatewayError: it cannot be answered.
        """
        answer: Answer = await HANDLERS[type(effect)](self, effect, context)
        return answer

    async def compute(self, work: Callable[..., Any], body: bytes, context: RequestContext) -> Any:
        """Do the work of a whole request in a worker process.

        Args:
            work: a function that can be pickled; of the body, if that is not empty.

        Raises:
            DeadlineExceeded, TooLarge, Unavailable: the worker did not end in time, needed too much memory, or was
                lost.
        """
        answered = await self.answer_effect(RunInWorker(work, body), context)
        if isinstance(answered, Invalid):
            raise _FAILURES.get(answered.code, TooLarge)(answered.message)
        return answered


@register_handler(RunInWorker)
async def _run_in_worker(services: ScoringServices, effect: RunInWorker, context: RequestContext) -> Any:
    assert isinstance(services, EffectsRuntime)
    answer = partial(services.answer_effect, context=context)
    try:
        return await services.workers.run(effect.work, context.deadline, body=effect.body, answer=answer)
    except NotDone as cause:
        return UNFINISHED[cause.why]


@register_handler(Together)
async def _run_together(services: ScoringServices, effect: Together, context: RequestContext) -> list[Any]:
    assert isinstance(services, EffectsRuntime)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run_effects(steps, services, context)) for steps in effect.computations]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


@register_handler(Within)
async def _run_within(services: ScoringServices, effect: Within, context: RequestContext) -> bool:
    assert isinstance(services, EffectsRuntime)
    until = asyncio.get_running_loop().time() + effect.seconds
    nearer = context.deadline is None or until < context.deadline
    _ = context.state  # the same for both
    limited = replace(context, deadline=until) if nearer else context
    await run_effects(effect.computation, services, limited)
    if nearer:
        context.effects += limited.effects
    return nearer


async def run_effects(steps: Effectful[Answer], runtime: EffectsRuntime, context: RequestContext) -> Answer:
    """Run a computation to its end and answer each effect; a failure is raised where the effect was performed."""
    try:
        effect = next(steps)
        while True:
            context.effects += 1
            try:
                answer = await runtime.answer_effect(effect, context)
            except GatewayError as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(answer)
    except StopIteration as stop:
        result: Answer = stop.value
        return result
