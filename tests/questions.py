"""What an operation asks of a judge, for tests that answer it by hand."""

from typing import Any

from reward_gateway.operations.effects import AskJudge, Effectful, FindJudgeLimits


def first_question(steps: Effectful[Any]) -> AskJudge:
    """The first question to a judge that has one limit of time for all."""
    effect = next(steps)
    if isinstance(effect, FindJudgeLimits):
        effect = steps.send(None)
    assert isinstance(effect, AskJudge), effect
    return effect
