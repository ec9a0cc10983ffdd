"""The shapes of an operation's item fields: a number, a vector, a table of numbers, a text, or objects."""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from reward_gateway.operations.registry import Operation
from reward_gateway.sample.fields import FIELDS, MESSAGES

Shape = Literal["number", "vector", "table", "text", "objects"]

SAMPLE_FIELDS = (*(field.name for field in FIELDS if field.form not in ("numbers", "opaque")), MESSAGES)
"""Fields that every sample may carry; an item field of the same name reads it. Features are read singly, by name."""

_TABLES = ("rewards", "components", "scores")
_VALUES = ("reward", "step_rewards", "rewards", "scores", "process", "values")


def infer_shape(field: FieldInfo) -> Shape:
    """The shape of an item field, from its annotation."""
    return _infer_annotation_shape(field.annotation)


def _infer_annotation_shape(annotation: Any) -> Shape:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _infer_annotation_shape(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return _infer_annotation_shape(next((a for a in get_args(annotation) if a is not type(None)), float))
    if origin is dict or annotation is dict:
        return "table" if get_args(annotation)[1:] in ((float,), (int,), (float | None,)) else "objects"
    if origin is list or annotation is list:
        inner = get_args(annotation)[0] if get_args(annotation) else Any
        return "vector" if inner in (float, int, bool, float | None) else "objects"
    if annotation is str or origin is Literal:
        return "text"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "objects"
    return "number" if annotation in (float, int, bool) else "objects"


def reads_sample(name: str, field: FieldInfo) -> bool:
    """True if an unbound item field reads the sample's field of that name; a number named ``reference`` does not."""
    return name in SAMPLE_FIELDS and infer_shape(field) != "number"


def written_name(name: str, field: FieldInfo) -> str:
    """What a field is called by callers: the name of the feature that it reads, and of it in a recipe."""
    return field.alias or name


def accepts_floats(field: FieldInfo) -> bool:
    """True if any number will do for a field; false for one that takes counts, yes or no, or no number."""
    return infer_shape(field) == "number" and float in (field.annotation, *get_args(field.annotation))


def accepts_vectors(field: FieldInfo) -> bool:
    """True if any list of numbers will do for a field; false for lists of counts, of yes and no, or of others."""
    lists = [kind for kind in (field.annotation, *get_args(field.annotation)) if get_origin(kind) is list]
    return any(get_args(kind)[0] in (float, float | None) for kind in lists)


def value_field(operation: Operation) -> str | None:
    """The field of a transform or a credit assignment that takes the value to transform."""
    return next((name for name in _VALUES if name in operation.item.model_fields), None)


def table_field(operation: Operation) -> str | None:
    """The field of a combiner that takes the components: a table, a vector, or the members of a group."""
    return next((name for name in (*_TABLES, "group") if name in operation.item.model_fields), None)


def number_fields(operation: Operation) -> tuple[str, ...]:
    """The fields of a combiner that takes one number for each of its parts, by its name, and no table; else none."""
    fields = operation.item.model_fields
    if operation.kind != "combine" or table_field(operation) is not None:
        return ()
    return tuple(fields) if all(infer_shape(field) == "number" for field in fields.values()) else ()


def takes_group(operation: Operation) -> bool:
    """True if an item of a credit assignment is a group of samples; a `group` that is a text names the prompt."""
    fields = operation.item.model_fields
    return any(name in fields and infer_shape(fields[name]) == "objects" for name in ("group", "trajectories"))


def member_model(operation: Operation, field: str) -> type[BaseModel] | None:
    """The model of the members of a list field; None if members are mappings without a schema."""
    for inner in get_args(operation.item.model_fields[field].annotation):
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            return inner
    return None


def optional_members(operation: Operation) -> frozenset[str]:
    """Names of the fields that are optional in the members of a group operation."""
    members = member_model(operation, "group") if table_field(operation) == "group" else None
    fields = {} if members is None else members.model_fields
    return frozenset(name for name, field in fields.items() if not field.is_required())


def needs_row_validation(operation: Operation) -> bool:
    """True if the item model has more constraints than types, so that rows have to be validated one by one."""
    if operation.rule_fields:
        return True
    decorators = operation.item.__pydantic_decorators__
    if decorators.field_validators or decorators.model_validators:
        return True
    return any(_constrains(field) or infer_shape(field) == "objects" for field in operation.item.model_fields.values())


def _constrains(field: FieldInfo) -> bool:
    """Whether a field has more than a type; what is done to a value before its type is looked at is no constraint."""
    return not all(isinstance(mark, BeforeValidator) for mark in field.metadata)
