"""Operations whose item is a group: its members are the samples of one prompt.

A member's field is read from, in this order: the component of that name, the sample's own field, its feature.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from reward_gateway.operations.apply import run
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import Effectful
from reward_gateway.operations.outcome import Outcome
from reward_gateway.sample import FloatArray, Invalid

from .column_binder import ColumnBinder, Value
from .fields import member_model
from .step import Step


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
    model = member_model(step.operation, field)
    outcome = Outcome(rewards=[None] * size)
    answers: list[Any] = [None] * size
    items, members = [], []
    for group in groups.values():
        built: dict[int, Any] = {}
        for i in group:
            try:
                member = _build_member(binder, values, table, model, i)
                built[i] = member if model is None else model.model_validate(member, strict=False)
            except ValidationError as error:
                outcome.invalid[i] = _explain_fault(error, field)
        if not built:
            continue
        try:
            items.append(step.operation.item.model_validate({field: list(built.values())}))
            members.append(list(built))
        except ValidationError as error:
            outcome.invalid.update(dict.fromkeys(built, _explain_fault(error, field)))
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
    model: type[BaseModel] | None,
    i: int,
) -> dict[str, Any]:
    features = dict(binder.batch.features[i]) if binder.batch.features else {}
    known: dict[str, Any] = {**features, **{name: _to_plain(column[i]) for name, column in table.items()}}
    known.update(
        {name: None for name, value in known.items() if value != value}
    )  # the absence of an optional component
    known.update({name: _to_plain(column[i]) for name, column in values.items() if isinstance(column, list)})
    if model is None:
        return known
    sample = {"response": binder.batch.responses[i], "id": binder.batch.ids[i]}
    member = {name: known.get(name, sample.get(name)) for name in model.model_fields}
    return {name: value for name, value in member.items() if value is not None}


def _explain_fault(error: ValidationError, field: str) -> Invalid:
    fault = error.errors(include_url=False, include_input=False)[0]
    names = [part for part in fault["loc"] if isinstance(part, str)]
    if not names and fault["type"] == "value_error":  # of several fields together, which the message names
        return Invalid("invalid_field", f"features: {fault['ctx']['error']}", param="features")
    name = names[0] if names else field
    if fault["type"] == "missing":
        return Invalid("missing_field", f"this reward needs features.{name} in the sample", param=f"features.{name}")
    return Invalid("invalid_field", f"features.{name}: {fault['msg']}", param=f"features.{name}")


def _to_plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return float(value) if isinstance(value, np.generic) else value
