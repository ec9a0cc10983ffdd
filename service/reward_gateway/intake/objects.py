"""Fields that hold objects: as plain mappings with every key, whichever way they came."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from msgspec import NODEFAULT, Struct
from msgspec.structs import asdict, fields


def plain_object(item: Struct) -> dict[str, Any]:
    """An object with every key; one that was not given, or null, has its default."""
    made = asdict(item)
    if None in made.values():
        made.update({name: make() for name, make in _defaults(type(item)).items() if made[name] is None})
    return made


@cache
def _defaults(kind: type[Struct]) -> dict[str, Any]:
    """Key -> what makes its default."""
    return {
        field.name: field.default_factory if field.default is NODEFAULT else lambda value=field.default: value
        for field in fields(kind)
        if not field.required
    }


def texts_of(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """The texts in a value, however nested, each with its path below the request."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for i, entry in enumerate(value):
            yield from texts_of(entry, f"{path}[{i}]")
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            yield from texts_of(entry, f"{path}.{name}")
