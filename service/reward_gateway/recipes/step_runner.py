"""Runs one operation of a plan over the valid rows of a batch."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from reward_gateway.errors import JudgeNotFound, ModelNotFound, Unavailable
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import Effectful
from reward_gateway.operations.outcome import Outcome
from reward_gateway.operations.registry import Comparison
from reward_gateway.sample import Batch, Invalid

from .column_binder import ColumnBinder, Value
from .group import find_alone
from .missing_context import REASONS_OF_ONE
from .outcome_rows import spread_outcome
from .own_streams import run_step
from .plan import Plan
from .rows import Rows
from .step import Step
from .turns import align_columns, is_by_turn
from .unavailable import explain_unavailable

Running = Effectful[Any]


class StepRunner:
    """Runs the operations of one plan over one batch; failures and flags go to its rows.

    Attributes:
        binder: reads the columns that an operation takes, of whole responses.
    """

    def __init__(self, plan: Plan, batch: Batch, binder: ColumnBinder, rows: Rows) -> None:
        self.plan, self.batch, self.binder, self.rows = plan, batch, binder, rows

    def run(
        self,
        step: Step,
        provided: Mapping[str, Any],
        address: str,
        component: str | None = None,
        *,
        optional: bool = False,
        binder: ColumnBinder | None = None,
    ) -> Running:
        """Run one operation over the valid rows; returns an outcome over the whole batch.

        Rows that lack what an ``optional`` component reads have no value and stay valid. ``binder`` reads the columns
        where the operation is shown a part of the responses.
        """
        if step.comparison is not None:
            self.refuse_groups_of_one(step.comparison)
        rows = self.rows.valid()
        name = component or address.rpartition("/")[2]
        try:
            columns, kept, invalid = yield from (binder or self.binder).read_columns(step, provided, rows, address)
            if invalid:
                missing = "missing_field" if optional else None
                self.rows.fail({i: reason for i, reason in invalid.items() if reason.code != missing}, name)
            if is_by_turn(step) and kept:
                columns, kept = self._align_fields(step, columns, kept)
            if not kept:
                return self._make_no_outcome()
            outcome = yield from run_step(step, columns)
        except (Unavailable, ModelNotFound, JudgeNotFound) as error:
            self.rows.fail(dict.fromkeys(rows, explain_unavailable(error)), name)
            return self._make_no_outcome()
        if outcome.invalid or outcome.stood_in:
            self.rows.fail({kept[k]: reason for k, reason in (outcome.stood_in | outcome.invalid).items()}, name)
        if outcome.reward is None and outcome.rewards is None and len(outcome.invalid) == len(kept):
            outcome.reward = np.full(len(kept), np.nan)  # every row has a reason of its own
        if outcome.flags:
            self.rows.flag({kept[k]: flags for k, flags in outcome.flags.items()})
        return spread_outcome(outcome, kept, self.rows.size)

    def _make_no_outcome(self) -> Outcome:
        return Outcome(reward=np.full(self.rows.size, np.nan), rewards=[None] * self.rows.size)

    def _align_fields(self, step: Step, columns: Columns, rows: list[int]) -> tuple[Columns, list[int]]:
        """The columns of a credit assignment with one entry per turn of the assistant's, over the rows that have it."""
        names = {field.name: field.param for field in step.fields if field.param}
        columns, faults = align_columns(step, columns, [self.batch.responses[i] for i in rows], names)
        if not faults:
            return columns, rows
        self.rows.fail({rows[k]: reason for k, reason in faults.items()}, None)
        kept = [k for k in range(len(rows)) if k not in faults]
        return columns.selected(kept), [rows[k] for k in kept]

    def refuse_groups_of_one(self, *comparisons: Comparison) -> None:
        """Fail the rows that are alone in what they are compared within, unless the recipe says what they get."""
        if not comparisons or self.plan.group.of_one != "refuse":
            return
        for comparison in comparisons:
            alone = find_alone(comparison, self.binder.groups, self.rows.valid())
            self.rows.fail(dict.fromkeys(alone, REASONS_OF_ONE[comparison]), None)

    def extract_value(self, step: Step, outcome: Outcome, name: str) -> Value:
        """The numbers or vectors of a step's outcome; all rows fail where it has neither.

        Some operations that return vectors give their sum with the outcome too, where samples carry that: recipes go
        on with the vectors in any case, as they were compiled to.
        """
        if outcome.reward is not None and (step.operation.returns != "vector" or outcome.rewards is None):
            return outcome.reward
        if outcome.rewards is not None:
            return [None if vector is None else np.asarray(vector, dtype=np.float64) for vector in outcome.rewards]
        reason = Invalid("operation_error", "the operation returned neither a reward nor a vector", name)
        self.rows.fail_all(range(self.rows.size), reason, name)
        return np.full(self.rows.size, np.nan)
