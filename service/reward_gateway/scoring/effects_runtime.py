"""The runtime of operations: it runs a computation to its end and answers each of its effects."""

from functools import partial
from typing import Any, TypeVar

from reward_gateway.backends.workers.pool import NotDone
from reward_gateway.errors import GatewayError
from reward_gateway.operations.effects import Effect, Effectful, RunInWorker
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


class EffectsRuntime(ScoringServices):
    """The services that operations may use, through effects. Takes the arguments of :class:`ScoringServices`."""

    async def answer_effect(self, effect: Effect[Answer], context: RequestContext) -> Answer:
        """Answer one effect.

        Raises:
            GatewayError: it cannot be answered.
        """
        answer: Answer = await HANDLERS[type(effect)](self, effect, context)
        return answer


@register_handler(RunInWorker)
async def _run_in_worker(services: ScoringServices, effect: RunInWorker, context: RequestContext) -> Any:
    assert isinstance(services, EffectsRuntime)
    answer = partial(services.answer_effect, context=context)
    try:
        return await services.workers.run(effect.work, context.deadline, body=effect.body, answer=answer)
    except NotDone as cause:
        return UNFINISHED[cause.why]


async def run_effects(steps: Effectful[Answer], runtime: EffectsRuntime, context: RequestContext) -> Answer:
    """Run a computation to its end and answer each effect; a failure is raised where the effect was performed."""
    try:
        effect = next(steps)
        while True:
            try:
                answer = await runtime.answer_effect(effect, context)
            except GatewayError as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(answer)
    except StopIteration as stop:
        result: Answer = stop.value
        return result
