"""Operations whose item is a group: the samples of one prompt become its members, and get their answers back.

A member's field is, in this order, the component of its name, the sample's own field, its feature.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from reward_gateway.operations.apply import run
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import Effectful
from reward_gateway.operations.outcome import Outcome
from reward_gateway.sample import FloatArray, Invalid

from .column_binder import ColumnBinder, Value
from .fields import fitted, member_fields
from .plan import Step


def spread_groups(
    step: Step, reader: ColumnBinder, values: Mapping[str, Value], table: Mapping[str, FloatArray], rows: list[int]
) -> Effectful[Outcome]:
    """Answer a group operation for the samples of a batch.

    Returns:
        ``rewards`` [n]: the member's number or vector, None in rows without one; reasons a row.
    """
    size = reader.batch.size
    field = "group" if "group" in step.operation.item.model_fields else "trajectories"
    groups: dict[str, list[int]] = {}
    for i in rows:
        groups.setdefault(reader.groups[i], []).append(i)
    fields = member_fields(step.operation, field)
    outcome = Outcome(rewards=[None] * size)
    answers: list[Any] = [None] * size
    items, members = [], []
    for group in groups.values():
        try:
            item = {field: [_member(reader, values, table, fields, i) for i in group]}
            items.append(step.operation.item.model_validate(item))
            members.append(group)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = str(fault["loc"][-1]) if fault["loc"] else field
            reason = Invalid("invalid_field", f"{where}: {fault['msg']}", param=f"features.{where}")
            outcome.invalid.update(dict.fromkeys(group, reason))
    if items:
        columns = Columns.of_items(items, list(step.operation.item.model_fields))
        answered = yield from run(step.operation, columns, step.params)
        for k, group in enumerate(members):
            given = answered.rewards[k] if answered.rewards is not None else None
            if k in answered.invalid or given is None or len(given) != len(group):
                reason = answered.invalid.get(k, Invalid("operation_error", "the group was not answered"))
                outcome.invalid.update(dict.fromkeys(group, reason))
                continue
            for i, answer in zip(group, given, strict=True):
                answers[i] = answer
    outcome.rewards = answers
    return outcome


def _member(
    reader: ColumnBinder,
    values: Mapping[str, Value],
    table: Mapping[str, FloatArray],
    fields: Mapping[str, FieldInfo] | None,
    i: int,
) -> dict[str, Any]:
    features = dict(reader.batch.features[i]) if reader.batch.features else {}
    known: dict[str, Any] = {**features, **{name: _plain(column[i]) for name, column in table.items()}}
    known.update({name: None for name, value in known.items() if value != value})  # an optional component's absence
    known.update({name: _plain(column[i]) for name, column in values.items() if isinstance(column, list)})
    if fields is None:
        return known
    sample = {"response": reader.batch.responses[i], "id": reader.batch.ids[i]}
    member = {name: known.get(name, sample.get(name)) for name in fields}
    return {name: fitted(fields[name], value) for name, value in member.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return float(value) if isinstance(value, np.generic) else value
