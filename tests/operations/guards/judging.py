"""What guards say, asked the way recipes do."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from reward_gateway.operations.effects import Effectful, RunInWorker
from reward_gateway.operations.guards import GUARDS, GuardView, Judged, find_suspicious


def flagged(
    name: str,
    *responses: str,
    references: Sequence[str | None] | None = None,
    components: Mapping[str, list[float]] | None = None,
    flags: Mapping[int, tuple[str, ...]] | None = None,
    **params: Any,
) -> list[bool]:
    values = {key: np.array(column) for key, column in (components or {}).items()}
    size = len(responses) or len(next(iter(values.values())))
    accepted = [[] if reference is None else [reference] for reference in references or [None] * size]
    view = GuardView(responses or [""] * size, accepted, values, flags or {})
    caught = judge(name, view, **params)
    assert not caught.invalid
    assert caught.suspicious.dtype == bool
    result: list[bool] = caught.suspicious.tolist()
    return result


def judge(name: str, view: GuardView, *, answers: Sequence[Any] = (), **params: Any) -> Judged:
    """What a guard says of a view; ``answers`` stand in for what the world answers, in order."""
    steps = find_suspicious(GUARDS[name], view, GUARDS[name].params.model_validate(params))
    judged: Judged = _answer(steps, list(answers))
    return judged


def _answer(steps: Effectful[Any], answers: list[Any]) -> Any:
    """Run steps to their end; work for a worker is done here."""
    reply: Any = None
    while True:
        try:
            need = steps.throw(reply) if isinstance(reply, Exception) else steps.send(reply)
        except StopIteration as stop:
            return stop.value
        if isinstance(need, RunInWorker):
            reply = _answer(need.work(), answers)
        else:
            assert answers, "the guard needs more from outside than the test gave"
            reply = answers.pop(0)
