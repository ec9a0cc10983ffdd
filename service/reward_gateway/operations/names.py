"""Parameters that name something else of the gateway: a component of the recipe, a hosted model, a judge,
a remote sandbox, a stored set, a coefficient that batches adapt.

An operation marks such a parameter by its type, and whoever compiles a recipe can tell a name that nothing has:

    weights: dict[SelectedComponent, float]
    model: HostedModel = "language_model"
"""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

NameKind = Literal["component", "model", "judge", "sandbox", "set", "coefficient"]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """Marks a text that is a name.

    Attributes:
        kind: what it is the name of.
        selects: components: where some are named, those that are not named do not count.
        single: models: it is read for one number, so that one of several numbers does not fit.
    """

    kind: NameKind
    selects: bool = False
    single: bool = False


ComponentName = Annotated[str, Names("component")]
SelectedComponent = Annotated[str, Names("component", selects=True)]
HostedModel = Annotated[str, Names("model")]
HostedReward = Annotated[str, Names("model", single=True)]
JudgeName = Annotated[str, Names("judge")]
SandboxName = Annotated[str, Names("sandbox")]
StoredSet = Annotated[str, Names("set")]
CoefficientName = Annotated[str, Names("coefficient")]


@dataclass(frozen=True, slots=True)
class Named:
    """A name that parameters hold.

    Attributes:
        path: where it stands in the parameters.
        written: it was given, and is not the operation's default.
    """

    mark: Names
    name: str
    path: Path
    written: bool


def names_in(params: BaseModel) -> Iterator[Named]:
    """Every marked name that the parameters hold."""
    for field_name, field in type(params).model_fields.items():
        written = field_name in params.model_fields_set
        value = getattr(params, field_name)
        for mark, name, path in _walk(_whole_annotation(field), value, (field_name,)):
            yield Named(mark, name, path, written)


def find_name_fields(params: type[BaseModel], kind: NameKind) -> frozenset[str]:
    """The parameters that may be a name of this kind."""
    return frozenset(
        field_name
        for field_name, field in params.model_fields.items()
        if any(mark.kind == kind for mark, _, _ in _walk(_whole_annotation(field), "name", ()))
    )


def _whole_annotation(field: FieldInfo) -> Any:
    """A field's annotation with its marks: pydantic takes the outermost Annotated apart."""
    annotation: Any = field.annotation
    for mark in field.metadata:
        if isinstance(mark, Names):
            annotation = Annotated[annotation, mark]
    return annotation


def _walk(annotation: Any, value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[Names, str, Path]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        marks = [mark for mark in arguments[1:] if isinstance(mark, Names)]
        if marks and isinstance(value, str):
            yield marks[0], value, path
        elif not marks:
            yield from _walk(arguments[0], value, path)
    elif origin in (Union, types.UnionType):
        for argument in arguments:
            yield from _walk(argument, value, path)
    elif origin is list and isinstance(value, list | tuple):
        for i, entry in enumerate(value):
            yield from _walk(arguments[0], entry, (*path, i))
    elif origin is dict and isinstance(value, dict):
        for key, entry in value.items():
            yield from _walk(arguments[0], key, (*path, key))
            yield from _walk(arguments[1], entry, (*path, key))
    elif isinstance(value, BaseModel):
        for named in names_in(value):
            yield named.mark, named.name, (*path, *named.path)
