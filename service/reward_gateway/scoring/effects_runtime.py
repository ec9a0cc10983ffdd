"""The runtime of operations: it runs a computation to its end and answers each of its effects."""

from typing import TypeVar

from reward_gateway.errors import GatewayError
from reward_gateway.operations.effects import Effect, Effectful

from .effect_handlers import HANDLERS
from .request_context import RequestContext
from .services import ScoringServices

Answer = TypeVar("Answer")


class EffectsRuntime(ScoringServices):
    """The services that operations may use, through effects. Takes the arguments of :class:`ScoringServices`."""

    async def answer_effect(self, effect: Effect[Answer], context: RequestContext) -> Answer:
        """Answer one effect.

        Raises:
            GatewayError: it cannot be answered.
        """
        answer: Answer = await HANDLERS[type(effect)](self, effect, context)
        return answer


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
