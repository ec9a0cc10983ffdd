"""Tables in Markdown: cells whose bars do not end them, and the keys of a JSON Schema as one table per object."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_NAMES = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "null": "null"}
_SIZES = (("minLength", "maxLength", "characters"), ("minItems", "maxItems", "entries"))


def write_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or an empty text where there are no rows."""
    lines = [f"| {' | '.join(map(_write_cell, row))} |" for row in rows]
    return "\n".join([f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *lines]) + "\n" if lines else ""


def write_code(text: str) -> str:
    """A text as code, whatever it holds."""
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if len(ticks) > 1 else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def write_phrase(text: str) -> str:
    """A docstring's text as one line of Markdown: its double backticks are code, its angle brackets no markup."""
    line = re.sub(r":(?:mod|class|data|func|meth|attr):`[~.]*([^`]*)`", r"`\1`", " ".join(text.split()))
    parts = re.split(r"(`[^`]+`)", line.replace("``", "`"))
    return "".join(part if part.startswith("`") else _escape_markup(part) for part in parts)


def _escape_markup(text: str) -> str:
    """Text outside of code: underscores, stars, brackets and angle brackets stand for themselves."""
    return re.sub(r"([\\*_<\[\]])", r"\\\1", text)


def write_objects(schema: Schema, titles: Mapping[str, str]) -> str:
    """The keys of some objects of a JSON Schema: a heading, what the object is, and a table of its keys.

    Args:
        titles: the object's name among the schema's definitions, or ``""`` for the schema itself -> its heading.
    """
    definitions = schema.get("$defs", {})
    parts = []
    for name, title in titles.items():
        shape = definitions[name] if name else schema
        about = write_phrase(shape.get("description", "")) if name else ""
        parts += [f"## {title}\n", f"{about}\n" if about else "", write_keys(shape, titles)]
    return "\n".join(filter(None, parts))


def write_keys(shape: Schema, titles: Mapping[str, str] = {}) -> str:
    """The table of the keys of one object; what has a heading among ``titles`` is linked to it."""
    required = shape.get("required", ())
    rows: list[tuple[str, ...]] = [
        (
            write_code(name),
            describe_type(field, titles),
            "required" if name in required else _describe_default(field),
            write_phrase(" ".join(filter(None, (field.get("description", ""), *_describe_limits(field))))),
        )
        for name, field in shape.get("properties", {}).items()
    ]
    columns = ("key", "type", "default", "what it does")
    shown = 4 if any(row[-1] for row in rows) else 3  # types of the wire have descriptions of the object alone
    return write_table(columns[:shown], [row[:shown] for row in rows])


def describe_type(schema: Schema, titles: Mapping[str, str] = {}) -> str:
    """The type of a value in words, with links to the objects that have a heading."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{titles[name].replace('`', '')}](#{slug_of(titles[name])})" if name in titles else "object"
    if "enum" in schema:
        return " or ".join(write_code(str(value)) for value in schema["enum"])
    if "const" in schema:
        return write_code(str(schema["const"]))
    for several in ("anyOf", "oneOf"):
        if several in schema:
            kinds = [kind for kind in schema[several] if "default" not in schema or kind.get("type") != "null"]
            return " or ".join(dict.fromkeys(describe_type(kind, titles) for kind in kinds))
    match schema.get("type"):
        case "array":
            if "prefixItems" in schema:
                return f"list of {len(schema['prefixItems'])}"
            inner = describe_type(schema.get("items", {}), titles)
            return f"list of ({inner})" if " or " in inner else f"list of {inner}"
        case "object" if "properties" in schema:
            return "object"
        case "object":
            values = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
            inner = describe_type(values, titles) if isinstance(values, Mapping) else "object"
            return "object" if inner.startswith(("object", "anything")) else f"names → {inner}"
        case str(name):
            return _NAMES.get(name, name)
    return "anything"


def slug_of(heading: str) -> str:
    """The anchor of a heading, as code hosts make it."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.lower()))


def describe_limits(schema: Schema) -> str:
    """The range of a value, or of the members of its union: ``0 to 1``, ``over 0, at most 8``, ``1 to 64 entries``."""
    limits = []
    for kind in (schema, *schema.get("anyOf", ())):
        limits.append(_describe_range(kind.get("minimum"), kind.get("maximum"), kind.get("exclusiveMinimum")))
        if "exclusiveMaximum" in kind:
            limits.append(f"under {write_number(kind['exclusiveMaximum'])}")
        for least, most, unit in _SIZES:
            if size := _describe_range(kind.get(least), kind.get(most)):
                limits.append(f"{size} {unit}")
        if "minProperties" in kind:
            limits.append(f"at least {kind['minProperties']} entries")
    return ", ".join(dict.fromkeys(filter(None, limits)))


def _describe_range(least: float | None, most: float | None, above: float | None = None) -> str:
    if least is not None and most is not None and above is None:
        return f"{write_number(least)} to {write_number(most)}"
    parts = (("over", above), ("at least", least), ("at most", most))
    return ", ".join(f"{word} {write_number(bound)}" for word, bound in parts if bound is not None)


def write_number(number: float) -> str:
    """A number as people write it: whole ones in full."""
    return f"{int(number):,}" if number == int(number) else f"{number:g}"


def _describe_limits(field: Schema) -> Iterator[str]:
    if limits := describe_limits(field):
        yield f"({limits})"


def _describe_default(field: Schema) -> str:
    if "default" not in field or field["default"] in (None, {}, [], ""):
        return "—"
    return write_code(json.dumps(field["default"], ensure_ascii=False))


def _write_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").strip()
