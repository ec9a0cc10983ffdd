"""Finds the references of a data set that a recipe's rules cannot read, before a run."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reward_gateway.backends.math.checker import MathChecker
from reward_gateway.intake.batch_builder import BatchBuilder
from reward_gateway.intake.sample_files import Csv, Source
from reward_gateway.observer import UNOBSERVED
from reward_gateway.operations.apply import run, run_pure
from reward_gateway.operations.effects import CompareMath, Effect, Effectful, RunInWorker, RunSandboxed
from reward_gateway.recipes.column_binder import ColumnBinder
from reward_gateway.recipes.part_batches import read_json_references
from reward_gateway.recipes.plan import Plan
from reward_gateway.recipes.step import Step
from reward_gateway.sample import Batch, Invalid
from reward_gateway.settings import Settings

from .output import Unusable

ROWS = 256
"""Rows that are checked together."""

_RESPONSE = "0"
"""Stands in for the response: a rule looks at the reference first."""

NOT_RUN = Invalid("operation_error", "programs and queries are not run by this check")
"""Answers what rules ask of the sandbox: whether tests and queries can be read is known before they are run."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A reference that cannot be read: the row from 1 on (the header of a .csv is none), and why."""

    row: int
    message: str


def rules_over_references(plan: Plan) -> list[Step]:
    """The steps of a recipe's components whose rule reads the reference.

    Raises:
        Unusable: it has none.
    """
    steps = [part.step for part in plan.parts if part.step is not None]
    readers = [step for step in steps if "reference" in step.operation.item.model_fields and not _asks(step)]
    if not readers:
        raise Unusable(f"no rule of {plan.name} reads a reference: name a recipe that compares answers with --reward")
    return readers


def _asks(step: Step) -> bool:
    """Whether an operation asks a model or a judge, so that its reference is whatever text they take."""
    return step.operation.judged or bool({"model", "encoder"} & set(step.operation.params.model_fields))


async def find_faults(plan: Plan, source: Source, column: str) -> AsyncIterator[tuple[int, list[Fault]]]:
    """The faults of a file, as it is read: how many rows were checked, and what was found in them.

    Args:
        column: the column of the references.
    """
    steps = rules_over_references(plan)
    builder, math = BatchBuilder(Settings()), MathChecker(observer=UNOBSERVED)
    try:
        checked = 0
        for rows in _read_batches(source):
            references = _column(rows, column, source)
            batch = builder.build_of_columns({"response": [_RESPONSE] * len(rows), "reference": references})
            if plan.json_references:
                batch = read_json_references(batch)
            found: dict[int, Invalid] = {}
            for step in steps:
                for i, reason in (await _check(step, plan.rule_fields, batch, math)).items():
                    found.setdefault(i, reason)
            yield len(rows), [Fault(checked + i + 1, reason.message) for i, reason in sorted(found.items())]
            checked += len(rows)
    finally:
        await math.close()


def _read_batches(source: Source) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for row in source.rows():
        rows.append(row)
        if len(rows) == ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _column(rows: Sequence[dict[str, Any]], column: str, source: Source) -> list[Any]:
    values = [row.get(column) for row in rows]
    return [None if value == "" and isinstance(source, Csv) else value for value in values]


async def _check(step: Step, rule_fields: frozenset[str], batch: Batch, math: MathChecker) -> dict[int, Invalid]:
    """Row -> why its reference cannot be read by one rule."""
    rows = list(range(batch.size))
    binder = ColumnBinder(batch, {}, rule_fields=rule_fields)
    columns, kept, invalid = await _answer(binder.read_columns(step, {}, rows), math)
    found = {i: reason for i, reason in invalid.items() if _is_of_reference(reason, step)}
    if kept:
        outcome = await _answer(run(step.operation, columns, step.params), math)
        found |= {kept[k]: reason for k, reason in outcome.invalid.items() if _is_of_reference(reason, step)}
    return found


def _is_of_reference(reason: Invalid, step: Step) -> bool:
    """Whether a reason is about the reference, or about a field of the rule, which the reference carries."""
    field = re.split(r"[.\[]", reason.param or "", maxsplit=1)[0]
    return field == "reference" or field in step.operation.rule_fields


async def _answer(steps: Effectful[Any], math: MathChecker) -> Any:
    """Run a step; what it asks of anything but processes is left unanswered."""
    reply: Any = None
    while True:
        try:
            effect: Effect[Any] = steps.send(reply)
        except StopIteration as stop:
            return stop.value
        if isinstance(effect, CompareMath):
            reply = await math.compare(effect.pairs, pair_timeout_s=effect.timeout_s)
        elif isinstance(effect, RunInWorker):
            reply = await asyncio.to_thread(run_pure, effect.work())
        elif isinstance(effect, RunSandboxed):
            reply = [NOT_RUN] * len(effect.programs)
        else:
            raise Unusable(f"{type(effect).__name__}: this rule can be checked by a running service only")
