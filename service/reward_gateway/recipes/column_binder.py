"""Builds the columns that a step of a plan reads, for the rows that are still valid."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import Effectful, ReadReferences, ReadSet, perform
from reward_gateway.operations.reading.alternatives import REFERENCE
from reward_gateway.operations.reading.params import TextParams
from reward_gateway.operations.reading.response import prompt_opens_reasoning
from reward_gateway.operations.reading.rule_fields import Carried, unpack_references
from reward_gateway.operations.reading.view import OPENED, RESPONSE
from reward_gateway.sample import Batch, FloatArray, Invalid, Text, own_turns, plain_text, shown_text, turns_text
from reward_gateway.sample.fields import BY_NAME, MESSAGES

from .column_types import fit_column
from .fields import written_name
from .step import Step
from .step_fields import Binding, StepField
from .turns import turns_as_shown, turns_as_steps

Value = FloatArray | list[FloatArray | None]
"""A component over the batch: [n] numbers, or a vector per sample."""

Rows = Sequence[int]
_STORED = ("stored", "prompt_references")
"""Kinds of bindings whose values are asked of the store."""
_NOTHING_CARRIED = Carried()
_PLAIN = frozenset((str, type(None)))
ColumnsEffect = Effectful[tuple[Columns, list[int], dict[int, Invalid]]]


def select_rows(column: Any, rows: Rows, size: int) -> Any:
    """Some rows of a column of length ``size``; not copied if all rows are selected."""
    if len(rows) == size:
        return column
    if isinstance(column, Mapping):
        return {name: values[rows] for name, values in column.items()}
    return column[rows] if isinstance(column, np.ndarray) else [column[i] for i in rows]


class ColumnBinder:
    """Reads the fields of steps from a batch and from the components before them.

    Args:
        batch: the samples.
        values: component name -> its values over the batch.
        takes_no_prompt: a sample without a prompt is read as one with an empty prompt.
        reasoning_opened: every response begins inside reasoning that its prompt opened.
        rule_fields: fields of rules that references may carry, for all steps together.
    """

    def __init__(
        self,
        batch: Batch,
        values: Mapping[str, Value],
        *,
        takes_no_prompt: bool = False,
        reasoning_opened: bool = False,
        rule_fields: frozenset[str] = frozenset(),
    ) -> None:
        self.batch = batch
        self._rule_fields = rule_fields
        self._reasoning_opened = reasoning_opened
        self._unprompted = frozenset[int]() if takes_no_prompt else batch.without_prompt
        self.size = batch.size
        self.values = values
        self._groups: list[str] | None = None
        self._opened: list[bool] | None = None

    def _find_opened(self) -> list[bool]:
        """[n] whether the prompt of a sample has opened the reasoning in which its response begins."""
        if self._opened is None:
            self._opened = [self._reasoning_opened or prompt_opens_reasoning(prompt) for prompt in self.batch.prompts]
        return self._opened

    @property
    def groups(self) -> list[str]:
        if self._groups is None:
            self._groups = self.batch.groups()
        return self._groups

    def read_columns(
        self, step: Step, provided: Mapping[str, Any], rows: list[int], address: str = ""
    ) -> ColumnsEffect:
        """The columns of a step over ``rows``.

        Args:
            provided: field -> column over the whole batch that the recipe's stage supplies.
            address: name under which the reference rewards of this step's value are stored: the model of the component,
                else the recipe and component.

        Returns:
            The columns, the rows that they cover, and the reasons of the rows left out: a required value is missing, or
            a value is not of the type that the operation's item declares.
        """
        columns: dict[str, Any] = {}
        if isinstance(step.params, TextParams) and any(opened := self._find_opened()):
            columns[OPENED] = [opened[i] for i in rows]
        carried = _NOTHING_CARRIED
        if step.reference is not None:
            carried = yield from self._unpack_references(step, step.reference, provided, rows, address)
        invalid: dict[int, Invalid] = {rows[k]: reason for k, reason in carried.invalid.items()}
        for field in step.fields:
            name, param = field.name, field.param
            if name == REFERENCE and name in carried.columns:
                column = carried.columns[name]
            else:
                if field.binding is not None and field.binding.kind in _STORED:
                    column = yield from self._read_stored(field.binding, rows, address)
                else:
                    column = self._read_field(step, field, provided, rows)
                if name in carried.columns:
                    column = _lay_over(column, carried.columns[name])
            if self._unprompted and field.reads_prompt:
                instead = columns.get(step.operation.prompt_unless)
                lacking = [
                    i for k, i in enumerate(rows) if i in self._unprompted and (instead is None or instead[k] is None)
                ]
                invalid.update(dict.fromkeys(lacking, _explain_missing(name, "prompt")))
            if column is None:
                if field.required:
                    invalid.update((i, _explain_missing(name, param)) for i in rows)
                elif (default := field.find_default()) is not None:
                    columns[name] = [default] * len(rows)
                continue
            if not field.is_fitting(column):
                column, faults = fit_column(step.operation.item, name, column)
                for k, fault in faults.items():
                    invalid[rows[k]] = Invalid("invalid_field", f"{param or name}: {fault}", param=param)
            if isinstance(column, list) and any(value is None for value in column):
                if field.required:
                    for k, value in enumerate(column):
                        if value is None:
                            invalid.setdefault(rows[k], _explain_missing(name, param))
                elif (default := field.find_default()) is not None:
                    column = [default if value is None else value for value in column]
            columns[name] = column
        if step.checked and not invalid.keys() >= set(rows):
            return _validate_rows(step, columns, rows, invalid)
        if not invalid:
            return Columns(len(rows), columns), rows, invalid
        positions = [k for k, i in enumerate(rows) if i not in invalid]
        valid_columns = {name: select_rows(column, positions, len(rows)) for name, column in columns.items()}
        return Columns(len(positions), valid_columns), [rows[k] for k in positions], invalid

    def _unpack_references(
        self, step: Step, field: StepField, provided: Mapping[str, Any], rows: list[int], address: str
    ) -> Effectful[Carried]:
        """What the references of samples carry for a step, where some of them are objects."""
        if field.binding is not None and field.binding.kind in _STORED:
            references = yield from self._read_stored(field.binding, rows, address)
        else:
            references = self._read_field(step, field, provided, rows)
        if not isinstance(references, list):
            return _NOTHING_CARRIED
        return unpack_references(step.operation, references, self._rule_fields)

    def _read_field(self, step: Step, field: StepField, provided: Mapping[str, Any], rows: list[int]) -> Any:
        """The column of a field whose values the request brought or the recipe has computed."""
        if field.binding is not None:
            return self._read_bound(step, field, field.binding, rows)
        if field.name in provided:
            return select_rows(provided[field.name], rows, self.size)
        if field.reads_sample:
            return self._read_sample_field(field.name, rows, step)
        return self._read_feature(written_name(field.name, field.info), rows)

    def _read_bound(self, step: Step, field: StepField, binding: Binding, rows: Rows) -> Any:
        match binding.kind:
            case "constant":
                if field.shape == "number" and field.fits_floats and isinstance(binding.value, (int, float)):
                    return _repeat(binding.value, len(rows))
                if field.shape == "table" and isinstance(binding.value, Mapping):
                    table = {name: np.nan if value is None else value for name, value in binding.value.items()}
                    return {name: _repeat(value, len(rows)) for name, value in table.items()}
                return [binding.value] * len(rows)
            case "feature":
                return self._read_feature(str(binding.value), rows)
            case "sample":
                return self._read_sample_field(str(binding.value), rows, step)
            case _:
                return select_rows(self.values[str(binding.value)], rows, self.size)

    def _read_stored(self, binding: Binding, rows: Rows, address: str) -> Effectful[Any]:
        if binding.kind == "stored":
            return [(yield from perform(ReadSet("references", str(binding.value))))] * len(rows)
        return list((yield from perform(ReadReferences(address, [self.groups[i] for i in rows]))))

    def _read_feature(self, name: str, rows: Rows) -> list[Any] | None:
        features = self.batch.features
        if features is None:
            return None
        column = [features[i].get(name) for i in rows]
        return None if all(value is None for value in column) else column

    def _read_sample_field(self, name: str, rows: Rows, step: Step | None = None) -> list[Any] | None:
        if name == "group":
            return [self.groups[i] for i in rows]
        if name == MESSAGES:
            return [_join_messages(self.batch, i) for i in rows]
        values = self.batch.column(name)
        if BY_NAME[name].form == "steps" and step is not None and step.operation.returns == "vector":
            values = self._read_steps(values, turns_as_shown if step.shows_turns else turns_as_steps)
        if not values:
            return None
        match BY_NAME[name].form:
            case "chat":
                chosen, own = [values[i] for i in rows], name == "response"
                if own and step is not None and isinstance(step.params, TextParams):
                    return chosen  # the operation is given the part that its parameters ask for
                if _PLAIN.issuperset(map(type, chosen)):
                    return chosen
                if step is not None and step.shows_calls:
                    show = turns_text if step.shows_turns else shown_text
                    return [None if text is None else show(text) for text in chosen]
                return [None if text is None else plain_text(own_turns(text) if own else text) for text in chosen]
            case "media" | "objects":
                return [values[i] or None for i in rows]
            case _:
                return [values[i] for i in rows]

    def _read_steps(self, steps: Sequence[Any] | None, read_turns: Callable[[Text | None], Any]) -> list[Any]:
        """[n] the steps of samples: their own, else the assistant's turns of a response of several messages."""
        own = steps or [None] * self.size
        return [read_turns(self.batch.responses[i]) if given is None else given for i, given in enumerate(own)]


def _repeat(value: float, size: int) -> FloatArray:
    """[size] one number; as ``np.full``, which takes several times as long for a few."""
    column = np.empty(size)
    column.fill(value)
    return column


def _lay_over(column: Any, carried: list[Any]) -> list[Any]:
    """The values that references carry, and those of a column where they carry none."""
    below = [None] * len(carried) if column is None else column
    return [beneath if value is None else value for value, beneath in zip(carried, below, strict=True)]


def _join_messages(batch: Batch, i: int) -> list[dict[str, Any]]:
    """Prompt and response of a sample as one list of chat messages."""
    messages: list[dict[str, Any]] = []
    for role, text in (("user", batch.prompts[i]), ("assistant", batch.responses[i])):
        if isinstance(text, str):
            messages += [{"role": role, "content": text}] if text or role == "assistant" else []
        else:
            messages += [dict(message) for message in text or ()]
    return messages


def _explain_missing(name: str, param: str | None) -> Invalid:
    return Invalid("missing_field", f"this reward needs {param or name} in the sample", param=param)


def _validate_rows(
    step: Step, columns: Mapping[str, Any], rows: Rows, invalid: dict[int, Invalid]
) -> tuple[Columns, list[int], dict[int, Invalid]]:
    """Validate rows one by one with the item model, for operations whose item has more constraints than types."""
    items, valid_rows, positions = [], [], []
    texts = columns.get(RESPONSE) if isinstance(step.params, TextParams) else None
    opened = columns.get(OPENED)
    if texts is not None:  # chat messages or a text, of which the operation will be given a part
        columns = {name: column for name, column in columns.items() if name != OPENED}
        columns[RESPONSE] = [""] * len(rows)
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
            item = {name: value for name, value in row.items() if value is not None}
            items.append(step.operation.item.model_validate(item))
            valid_rows.append(i)
            positions.append(k)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            name = str(fault["loc"][0]) if fault["loc"] else ""
            param = step.find_param(name) if name else None
            label = param or name
            message = f"{label}: {fault['msg']}" if label else str(fault["msg"])
            invalid[i] = Invalid("invalid_field", message, param=param)
    validated = Columns.of_items(items, [field.name for field in step.fields])
    kept = {} if texts is None else {RESPONSE: texts, OPENED: opened}
    for name, column in kept.items():
        if column is not None:
            validated = validated.replaced(name, select_rows(column, positions, len(rows)))
    return validated, valid_rows, invalid
