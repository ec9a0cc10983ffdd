"""Runs a step on what a fallback has scored: its moments and coefficients are not those of whom it stands in for."""

from typing import Any

from reward_gateway.operations.apply import run
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import Effectful
from reward_gateway.operations.names import names_in
from reward_gateway.operations.outcome import Outcome

from .step import Step

STREAM = "stream"
"""The parameter, and the field of an item, that name the moments of a step."""


def run_step(step: Step, columns: Columns) -> Effectful[Outcome]:
    """What the operation of a step answers."""
    params = step.params
    if step.fallback:
        stored = {str(named.path[0]): named.name for named in names_in(params) if named.mark.kind == "coefficient"}
        if (stream := getattr(params, STREAM, None)) is not None:
            stored[STREAM] = stream
        own_names = {param: name_own_stream(name, step.fallback) for param, name in stored.items()}
        params = params.model_copy(update=own_names)
        if STREAM in columns:
            own: list[Any] = [
                name_own_stream(name, step.fallback) if isinstance(name, str) else name
                for name in columns.objects(STREAM)
            ]
            columns = columns.replaced(STREAM, own)
    return (yield from run(step.operation, columns, params))


def name_own_stream(stream: str, fallback: str) -> str:
    """The name of the moments, or the coefficient, of what a fallback has scored, beside those of a stream."""
    return f"{stream}@{fallback}"
