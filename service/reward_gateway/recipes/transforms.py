"""Transforms of a component: of its numbers, of the entries of its vectors, or of the stream that a batch is."""

import numpy as np

from reward_gateway.operations.outcome import Outcome
from reward_gateway.sample import Batch, FloatArray, Invalid

from .column_binder import ColumnBinder, Value
from .group import find_alone
from .outcome_rows import sum_vectors
from .own_streams import run_step
from .step import Step
from .step_runner import Running, StepRunner


def apply_transform(runner: StepRunner, step: Step, value: Value, address: str, component: str) -> Running:
    """The values of a component after one of its transforms."""
    field_name, wanted_shape = step.value
    if isinstance(value, list) and wanted_shape == "number":
        transformed = yield from _transform_vectors(runner, step, value, field_name, address, component)
    elif not isinstance(value, list) and wanted_shape == "vector":
        transformed = yield from _transform_stream(runner, step, value, field_name, component)
    else:
        outcome = yield from runner.run(step, {field_name: value}, address, component)
        transformed = runner.extract_value(step, outcome, component)
    if step.comparison is not None and runner.plan.group.of_one == "raw":
        before = value if isinstance(transformed, list) else sum_vectors(value)
        for i in find_alone(step.comparison, runner.binder.groups, runner.rows.valid()):
            transformed[i] = before[i]
    return transformed


def _transform_vectors(
    runner: StepRunner, step: Step, value: list[FloatArray | None], name: str, address: str, component: str
) -> Running:
    """Apply a transform of numbers to all entries of the vectors at once."""
    lengths = [0 if vector is None else len(vector) for vector in value]
    flat = np.concatenate([vector for vector in value if vector is not None and len(vector)] or [np.empty(0)])
    entries = Batch([""] * len(flat), [""] * len(flat), [None] * len(flat))
    columns, kept, invalid = yield from ColumnBinder(entries, {}).read_columns(
        step, {name: flat}, list(range(len(flat))), address
    )
    outcome = (yield from run_step(step, columns)) if kept else Outcome()
    owners = np.repeat(np.arange(len(value)), lengths)
    reasons = {**invalid, **{kept[k]: reason for k, reason in outcome.invalid.items()}}
    runner.rows.fail({int(owners[k]): reason for k, reason in reasons.items()}, component)
    shaped = np.full(len(flat), np.nan)
    if outcome.reward is not None:
        shaped[kept] = outcome.reward
    pieces = np.split(shaped, np.cumsum(lengths)[:-1]) if lengths else []
    return [None if vector is None else piece for vector, piece in zip(value, pieces, strict=True)]


def _transform_stream(runner: StepRunner, step: Step, value: FloatArray, name: str, component: str) -> Running:
    """Apply a transform of a stream: the valid values of the batch are one item."""
    rows = runner.rows.valid()
    if not rows:
        return value
    item = {name: [value[rows]]}
    single = Batch([""], [""], [None])
    columns, kept, invalid = yield from ColumnBinder(single, {}).read_columns(step, item, [0])
    outcome = (yield from run_step(step, columns)) if kept else Outcome(invalid=invalid)
    if outcome.invalid or outcome.rewards is None:
        reason = next(iter(outcome.invalid.values()), Invalid("operation_error", "the transform returned no values"))
        runner.rows.fail(dict.fromkeys(rows, reason), component)
        return value
    shaped = np.full(runner.rows.size, np.nan)
    shaped[rows] = np.asarray(outcome.rewards[0], dtype=np.float64)
    return shaped
