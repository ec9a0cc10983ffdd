"""Operations whose item is a group: its members are the samples of one prompt.

A member's field is read from, in this order: the component of that name, the sample's own field, its feature.
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
from .fields import fit_value, member_fields
from .plan import Step


def spread_groups(
    step: Step, binder: ColumnBinder, values: Mapping[str, Value], table: Mapping[str, FloatArray], rows: list[int]
) -> Effectful[Outcome]:
    """Run a group operation over the samples of a batch.

    Returns:
        ``rewards`` [n]: the member's number or vector, None in rows without one; and a reason per failed row.
    """
    size = binder.size
    field = "group" if "group" in step.operation.item.model_fields else "trajectories"
    groups: dict[str, list[int]] = {}
    for i in rows:
        groups.setdefault(binder.groups[i], []).append(i)
    fields = member_fields(step.operation, field)
    outcome = Outcome(rewards=[None] * size)
    answers: list[Any] = [None] * size
    items, members = [], []
    for group in groups.values():
        try:
            item = {field: [_build_member(binder, values, table, fields, i) for i in group]}
            items.append(step.operation.item.model_validate(item))
            members.append(group)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            field_name = str(fault["loc"][-1]) if fault["loc"] else field
            reason = Invalid("invalid_field", f"{field_name}: {fault['msg']}", param=f"features.{field_name}")
            outcome.invalid.update(dict.fromkeys(group, reason))
    if items:
        columns = Columns.of_items(items, list(step.operation.item.model_fields))
        group_outcome = yield from run(step.operation, columns, step.params)
        for k, group in enumerate(members):
            group_rewards = group_outcome.rewards[k] if group_outcome.rewards is not None else None
            if k in group_outcome.invalid or group_rewards is None or len(group_rewards) != len(group):
                reason = group_outcome.invalid.get(k, Invalid("operation_error", "the group was not answered"))
                outcome.invalid.update(dict.fromkeys(group, reason))
                continue
            for i, answer in zip(group, group_rewards, strict=True):
                answers[i] = answer
    outcome.rewards = answers
    return outcome


def _build_member(
    binder: ColumnBinder,
    values: Mapping[str, Value],
    table: Mapping[str, FloatArray],
    fields: Mapping[str, FieldInfo] | None,
    i: int,
) -> dict[str, Any]:
    features = dict(binder.batch.features[i]) if binder.batch.features else {}
    known: dict[str, Any] = {**features, **{name: _to_plain(column[i]) for name, column in table.items()}}
    known.update(
        {name: None for name, value in known.items() if value != value}
    )  # the absence of an optional component
    known.update({name: _to_plain(column[i]) for name, column in values.items() if isinstance(column, list)})
    if fields is None:
        return known
    sample = {"response": binder.batch.responses[i], "id": binder.batch.ids[i]}
    member = {name: known.get(name, sample.get(name)) for name in fields}
    return {name: fit_value(fields[name], value) for name, value in member.items() if value is not None}


def _to_plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return float(value) if isinstance(value, np.generic) else value
