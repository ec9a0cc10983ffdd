"""A key that nothing in a recipe file has, told by its name and a similar one that there is."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from .suggestions import did_you_mean


def explain_fault(fault: Mapping[str, Any], model: type[BaseModel], more: Collection[str] = ()) -> str:
    """What is wrong with a value that a model refused.

    Args:
        fault: one of pydantic's ``ValidationError.errors()``.
        more: keys that are taken beside the model's own.
    """
    if fault["type"] != "extra_forbidden":
        return str(fault["msg"])
    *parents, name = (part for part in fault["loc"] if part != "[key]")
    known = sorted({*_find_keys(model, parents), *(() if parents else more)})
    return f"unknown key {str(name)!r}{did_you_mean(str(name), known) if known else ''}"


def _find_keys(annotation: Any, path: Sequence[str | int]) -> Iterator[str]:
    """The keys of the mapping at a path of a type."""
    kind = get_origin(annotation) or annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        if not path:
            yield from fields
        elif path[0] in fields:
            yield from _find_keys(fields[str(path[0])].annotation, path[1:])
    elif isinstance(kind, type) and issubclass(kind, Mapping | Sequence) and path:
        for inner in get_args(annotation)[-1:] if issubclass(kind, Mapping) else get_args(annotation):
            yield from _find_keys(inner, path[1:])
    else:
        for inner in get_args(annotation):
            yield from _find_keys(inner, path)
