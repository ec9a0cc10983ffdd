"""The fields of a JSON Schema as a table: name, type, default, range and meaning; and one for each nested object."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .html import Html, el, join
from .layout import render_table
from .prose import phrase

Schema = Mapping[str, Any]

_NAMES = {"string": "text", "integer": "integer", "number": "number", "boolean": "yes or no", "null": "null"}
_BOUNDS = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
_LENGTHS = (("minLength", "≥"), ("minItems", "≥"), ("maxLength", "≤"), ("maxItems", "≤"))


def render_fields(schema: Schema) -> Html:
    """Render the properties of an object's schema, followed by those of nested objects."""
    if not schema.get("properties"):
        return el("p", "None.", class_="note")
    shapes = {**schema.get("$defs", {})}
    inner = (join(el("h3", el("code", name)), _render_properties(shape)) for name, shape in shapes.items())
    return join(_render_properties(schema), *inner)


def _render_properties(schema: Schema) -> Html:
    required = schema.get("required", ())
    rows = (
        (
            el("code", name),
            describe_type(field),
            "required" if name in required else _render_default(field),
            join(phrase(field.get("description", "")), *_render_limits(field)),
        )
        for name, field in schema.get("properties", {}).items()
    )
    return render_table(("name", "type", "default", "meaning"), *rows)


def describe_type(schema: Schema) -> str:
    """Describe the type in words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(describe_type(kind) for kind in schema["anyOf"]))
    match schema.get("type"):
        case "array":
            inner = describe_type(schema.get("items", {}))
            return f"list of ({inner})" if " or " in inner else f"list of {inner}"
        case "object":
            values = schema.get("additionalProperties")
            return f"name → {describe_type(values)}" if isinstance(values, Mapping) else "object"
        case str(name):
            return _NAMES.get(name, name)
    return "anything"


def _render_default(field: Schema) -> Html:
    if "default" not in field or field["default"] is None:
        return el("span", "—", class_="note")
    return el("code", json.dumps(field["default"], ensure_ascii=False))


def _render_limits(field: Schema) -> Iterator[Html]:
    """Render the range of a field, or of the members of its union."""
    for kind in (field, *field.get("anyOf", ())):
        limits = [f"{sign} {kind[name]:g}" for name, sign in _BOUNDS if name in kind]
        limits += [f"length {sign} {kind[name]}" for name, sign in _LENGTHS if name in kind]
        if limits:
            yield el("span", f" ({', '.join(limits)})", class_="note")
