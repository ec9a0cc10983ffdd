"""The fields of a JSON Schema as a table: name, type, default, range and meaning; and one for each nested shape."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .html import Html, el, join
from .layout import table
from .prose import phrase

Schema = Mapping[str, Any]

_NAMES = {"string": "text", "integer": "integer", "number": "number", "boolean": "yes or no", "null": "null"}
_BOUNDS = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
_LENGTHS = (("minLength", "≥"), ("minItems", "≥"), ("maxLength", "≤"), ("maxItems", "≤"))


def fields(schema: Schema) -> Html:
    """The properties of an object's schema, and below them those of the objects that they hold."""
    if not schema.get("properties"):
        return el("p", "None.", class_="note")
    shapes = {**schema.get("$defs", {})}
    inner = (join(el("h3", el("code", name)), _properties(shape)) for name, shape in shapes.items())
    return join(_properties(schema), *inner)


def _properties(schema: Schema) -> Html:
    required = schema.get("required", ())
    rows = (
        (
            el("code", name),
            type_of(field),
            "required" if name in required else _default(field),
            join(phrase(field.get("description", "")), *_limits(field)),
        )
        for name, field in schema.get("properties", {}).items()
    )
    return table(("name", "type", "default", "meaning"), *rows)


def type_of(schema: Schema) -> str:
    """What may stand there, in words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_of(kind) for kind in schema["anyOf"]))
    match schema.get("type"):
        case "array":
            inner = type_of(schema.get("items", {}))
            return f"list of ({inner})" if " or " in inner else f"list of {inner}"
        case "object":
            values = schema.get("additionalProperties")
            return f"name → {type_of(values)}" if isinstance(values, Mapping) else "object"
        case str(name):
            return _NAMES.get(name, name)
    return "anything"


def _default(field: Schema) -> Html:
    if "default" not in field or field["default"] is None:
        return el("span", "—", class_="note")
    return el("code", json.dumps(field["default"], ensure_ascii=False))


def _limits(field: Schema) -> Iterator[Html]:
    """The range of a field, of itself or of the one kind of it that has one."""
    for kind in (field, *field.get("anyOf", ())):
        said = [f"{sign} {kind[name]:g}" for name, sign in _BOUNDS if name in kind]
        said += [f"length {sign} {kind[name]}" for name, sign in _LENGTHS if name in kind]
        if said:
            yield el("span", f" ({', '.join(said)})", class_="note")
