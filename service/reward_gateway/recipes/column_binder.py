"""From bindings to columns: what a step of a plan reads, for the rows that are still valid."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import Effectful, ReadReferences, ReadSet, perform
from reward_gateway.sample import Batch, FloatArray, Invalid, plain_text
from reward_gateway.sample.fields import BY_NAME, MESSAGES

from .fields import SAMPLE_FIELDS, fitted, reads_sample, shape
from .plan import Binding, Step

Value = FloatArray | list[FloatArray | None]
"""A component over the batch: [n] numbers, or a vector per sample."""

Rows = Sequence[int]
Reading = Effectful[tuple[Columns, list[int], dict[int, Invalid]]]


def take(column: Any, rows: Rows, size: int) -> Any:
    """The rows of a column, without a copy where they are all of them."""
    if len(rows) == size:
        return column
    if isinstance(column, Mapping):
        return {name: values[rows] for name, values in column.items()}
    return column[rows] if isinstance(column, np.ndarray) else [column[i] for i in rows]


class ColumnBinder:
    """Reads the fields of steps from a batch and from the components that stand before.

    Args:
        name: address of stored references: the model that a component asks, else the recipe and component.
    """

    def __init__(self, batch: Batch, values: Mapping[str, Value]) -> None:
        self.batch = batch
        self.values = values
        self._groups: list[str] | None = None

    @property
    def groups(self) -> list[str]:
        if self._groups is None:
            self._groups = self.batch.groups()
        return self._groups

    def read(self, step: Step, provided: Mapping[str, Any], rows: list[int], address: str = "") -> Reading:
        """The columns of a step over ``rows``.

        Args:
            provided: field -> full-length column that the recipe's stage gives.
            address: under which stored references of this step's value are kept.

        Returns:
            The columns, the rows that they hold (those without a required value are left out), and why others are not.
        """
        fields = step.operation.item.model_fields
        columns: dict[str, Any] = {}
        invalid: dict[int, Invalid] = {}
        for name, field in fields.items():
            if name in step.bindings:
                column = yield from self._bound(step.bindings[name], shape(field), rows, address)
            elif name in provided:
                column = take(provided[name], rows, self.batch.size)
            else:
                column = self._implicit(name, field, rows)
            if column is None:
                default = field.get_default(call_default_factory=True)
                if field.is_required():
                    invalid.update((i, _missing(name)) for i in rows)
                elif default is not None:
                    columns[name] = [default] * len(rows)
                continue
            if field.is_required() and isinstance(column, list) and any(value is None for value in column):
                invalid.update((rows[k], _missing(name)) for k, value in enumerate(column) if value is None)
            columns[name] = column
        if step.checked and not invalid.keys() >= set(rows):
            return _validated(step, columns, rows, invalid)
        if not invalid:
            return Columns(len(rows), columns), rows, invalid
        kept = [k for k, i in enumerate(rows) if i not in invalid]
        kept_columns = {name: take(column, kept, len(rows)) for name, column in columns.items()}
        return Columns(len(kept), kept_columns), [rows[k] for k in kept], invalid

    def _bound(self, binding: Binding, wants: str, rows: Rows, address: str) -> Effectful[Any]:
        n = len(rows)
        match binding.kind:
            case "constant":
                if wants == "number":
                    return np.full(n, float(binding.value))
                if wants == "table":
                    return {name: np.full(n, float(value)) for name, value in binding.value.items()}
                return [binding.value] * n
            case "feature":
                return self._feature(str(binding.value), rows)
            case "sample":
                return self._sample(str(binding.value), rows)
            case "component":
                return take(self.values[str(binding.value)], rows, self.batch.size)
            case "stored":
                return [(yield from perform(ReadSet("references", str(binding.value))))] * n
            case "prompt_references":
                return list((yield from perform(ReadReferences(address, [self.groups[i] for i in rows]))))

    def _implicit(self, name: str, field: FieldInfo, rows: Rows) -> Any:
        return self._sample(name, rows) if reads_sample(name, field) else self._feature(name, rows)

    def _feature(self, name: str, rows: Rows) -> list[Any] | None:
        features = self.batch.features
        if features is None:
            return None
        column = [features[i].get(name) for i in rows]
        return None if all(value is None for value in column) else column

    def _sample(self, name: str, rows: Rows) -> list[Any] | None:
        if name == "group":
            return [self.groups[i] for i in rows]
        if name == MESSAGES:
            return [_conversation(self.batch, i) for i in rows]
        values = self.batch.column(name)
        if not values:
            return None
        match BY_NAME[name].form:
            case "chat":
                return [None if (text := values[i]) is None else plain_text(text) for i in rows]
            case "media" | "objects":
                return [values[i] or None for i in rows]
            case _:
                return [values[i] for i in rows]


def _conversation(batch: Batch, i: int) -> list[dict[str, Any]]:
    """Prompt and response as chat messages."""
    messages: list[dict[str, Any]] = []
    for role, text in (("user", batch.prompts[i]), ("assistant", batch.responses[i])):
        if isinstance(text, str):
            messages += [{"role": role, "content": text}] if text or role == "assistant" else []
        else:
            messages += [dict(message) for message in text or ()]
    return messages


def _missing(name: str) -> Invalid:
    param = name if name in SAMPLE_FIELDS else f"features.{name}"
    return Invalid("missing_field", f"this reward needs {param} in the sample", param=param)


def _validated(
    step: Step, columns: Mapping[str, Any], rows: Rows, invalid: dict[int, Invalid]
) -> tuple[Columns, list[int], dict[int, Invalid]]:
    """Rows one by one through the item model, where it demands more than types."""
    items, kept, fields = [], [], step.operation.item.model_fields
    plain = {name: column.tolist() if isinstance(column, np.ndarray) else column for name, column in columns.items()}
    for k, i in enumerate(rows):
        if i in invalid:
            continue
        row = {
            name: {key: float(values[k]) for key, values in column.items()}
            if isinstance(column, Mapping)
            else column[k]
            for name, column in plain.items()
        }
        row = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in row.items()}
        try:
            item = {name: fitted(fields[name], value) for name, value in row.items() if value is not None}
            items.append(step.operation.item.model_validate(item))
            kept.append(i)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            name = str(fault["loc"][0]) if fault["loc"] else ""
            param = name if name in SAMPLE_FIELDS else f"features.{name}" if name else None
            invalid[i] = Invalid("invalid_field", f"{name}: {fault['msg']}" if name else str(fault["msg"]), param=param)
    return Columns.of_items(items, list(step.operation.item.model_fields)), kept, invalid
