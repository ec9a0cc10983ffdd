"""Runs a step on what a fallback has scored: its running moments are other ones than those of whom it stands in for."""

from typing import Any

from reward_gateway.operations.apply import run
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import Effectful
from reward_gateway.operations.outcome import Outcome

from .step import Step

STREAM = "stream"
"""The parameter, and the field of an item, that name the moments of a step."""


def run_step(step: Step, columns: Columns) -> Effectful[Outcome]:
    """What the operation of a step answers."""
    params = step.params
    if step.fallback:
        if (named := getattr(params, STREAM, None)) is not None:
            params = params.model_copy(update={STREAM: name_own_stream(named, step.fallback)})
        if STREAM in columns:
            own: list[Any] = [
                name_own_stream(name, step.fallback) if isinstance(name, str) else name
                for name in columns.objects(STREAM)
            ]
            columns = columns.replaced(STREAM, own)
    return (yield from run(step.operation, columns, params))


def name_own_stream(stream: str, fallback: str) -> str:
    """The name of the moments of what a fallback has scored, beside those of a stream."""
    return f"{stream}@{fallback}"
