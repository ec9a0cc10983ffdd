"""What operations have said while a recipe with conditions is evaluated; one is not run again for the same rows."""

from collections.abc import Callable

import numpy as np

from reward_gateway.errors import GatewayError
from reward_gateway.operations.effects import Effectful

from .component_plan import ComponentPlan
from .component_rows import join_rows
from .model_scores import no_numbers
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
        asked, kept = frozenset(rows.valid()), self._scored.get(part.address)
        if kept is None or not part.scored_first or not (yield from self._add_rows(part, rows, asked, *kept)):
            raw = (yield from self._run(part, rows)) if asked else _say_nothing(part, rows)
            told = rows.fork(rows.absent)  # as it is now: late rows are left out afterwards
            told.flags = dict(rows.flags)
            self._scored[part.address] = raw, told, asked

    def _add_rows(
        self,
        part: ComponentPlan,
        rows: Rows,
        asked: frozenset[int],
        raw: RawComponent,
        told: Rows,
        over: frozenset[int],
    ) -> Effectful[bool]:
        """Score a part over further rows; whether what was said of the others still stands."""
        assert part.step is not None
        if more := asked - over:
            if not over or part.step.grouped:
                return False
            apart = rows.fork(rows.absent | over)
            added = yield from self._run(part, apart)
            if added.fallback != raw.fallback:
                return False  # all rows are scored by one of both
            raw, over = join_rows(raw, added, sorted(more)), over | more
            told.fail(apart.invalid, None)
            told.flag(apart.flags)
            self._scored[part.address] = raw, told, over
        rows.fail({i: reason for i, reason in told.invalid.items() if i in asked}, None)
        rows.flag({i: flags for i, flags in told.flags.items() if i in asked})
        return True

    def _run(self, part: ComponentPlan, rows: Rows) -> Effectful[RawComponent]:
        try:
            raw = yield from self._score_rows(part, rows)
        except GatewayError:
            if not part.audit:
                raise
            return _say_nothing(part, rows)
        return raw


def _say_nothing(part: ComponentPlan, rows: Rows) -> RawComponent:
    """What an operation says that is not run."""
    step, raw = part.step, RawComponent(no_numbers(rows.size))
    assert step is not None
    raw.judge_answers = [None] * rows.size if step.operation.judged else None
    raw.verdicts = {verdict: np.zeros(rows.size) for verdict in step.verdict_names} or None
    return raw
