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


def texts_of(item: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """The texts in an object, each with its path below the request."""
    for name, value in item.items():
        if isinstance(value, str):
            yield f"{path}.{name}", value
        elif isinstance(value, list):
            yield from ((f"{path}.{name}[{i}]", entry) for i, entry in enumerate(value) if isinstance(entry, str))
