"""What operations have said while a recipe with conditions is evaluated; one is not run again for the same rows."""

from collections.abc import Callable

import numpy as np

from reward_gateway.errors import GatewayError
from reward_gateway.operations.effects import Effectful

from .model_scores import no_numbers
from .plan import ComponentPlan
from .raw_component import RawComponent
from .rows import Rows

ScoreRows = Callable[[ComponentPlan, Rows], Effectful[RawComponent]]
"""Scores a part of a recipe by its operation over the valid ones of some rows, which are told what fails."""


class ScoredOperations:
    """The operations of one evaluation."""

    def __init__(self, score_rows: ScoreRows) -> None:
        self._score_rows = score_rows
        self._scored: dict[str, tuple[RawComponent, Rows, frozenset[int]]] = {}

    def read_scores(self, part: ComponentPlan) -> RawComponent:
        """What an operation has said at last."""
        return self._scored[part.address][0]

    def score(self, part: ComponentPlan, rows: Rows) -> Effectful[None]:
        """Score a part by its operation; one that needs no state is not run again for the same rows."""
        name, step, asked = part.address, part.step, frozenset(rows.valid())
        assert step is not None
        if part.scored_first and name in self._scored:
            _, before, over = self._scored[name]
            if asked <= over:
                rows.fail({i: reason for i, reason in before.invalid.items() if i in asked}, None)
                rows.flag({i: flags for i, flags in before.flags.items() if i in asked})
                return
        raw = RawComponent(no_numbers(rows.size))
        if asked:
            try:
                raw = yield from self._score_rows(part, rows)
            except GatewayError:
                if not part.audit:
                    raise
        if step.operation.judged and raw.judge_answers is None:
            raw.judge_answers = [None] * rows.size
        if raw.verdicts is None and step.verdict_names:
            raw.verdicts = {verdict: np.zeros(rows.size) for verdict in step.verdict_names}
        kept = rows.fork(rows.absent)  # as it is now: late rows are left out afterwards
        kept.flags = dict(rows.flags)
        self._scored[name] = raw, kept, asked
