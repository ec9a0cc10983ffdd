"""The tools that a sample offers: names, and the schemas of their arguments (OpenAI's form, bare, or BFCL's)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .given_values import fit

_JSON_TYPES = {"dict": "object", "float": "number", "tuple": "array", "double": "number", "list": "array"}
"""BFCL's names of types -> JSON Schema's."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: ``parameters`` is the schema of its arguments as it was written."""

    name: str
    parameters: Mapping[str, Any]

    @property
    def properties(self) -> Mapping[str, Any]:
        held = self.parameters.get("properties")
        return held if isinstance(held, Mapping) else {}

    @property
    def required(self) -> Sequence[str]:
        held = self.parameters.get("required")
        return held if isinstance(held, list) else ()

    def defaults(self) -> dict[str, Any]:
        """The arguments that have a default."""
        return {
            name: held["default"]
            for name, held in self.properties.items()
            if isinstance(held, Mapping) and "default" in held
        }

    def type_arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments whose form has no types, as the declared types: a text where one is declared, else what is JSON."""
        return {
            name: fit(value, str if _declares_text(self.properties.get(name)) else object)
            for name, value in arguments.items()
        }

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its arguments, which takes none that it does not name."""
        schema: dict[str, Any] = _to_json_schema({**self.parameters, "type": "object"})
        if self.properties:
            schema.setdefault("additionalProperties", False)
        return schema


def read_tools(tools: Sequence[Any] | None) -> dict[str, Tool]:
    """Tools by name. Raises ValueError for one without a name."""
    read: dict[str, Tool] = {}
    for i, tool in enumerate(tools or ()):
        held = tool.get("function", tool) if isinstance(tool, Mapping) else None
        if not isinstance(held, Mapping) or not isinstance(held.get("name"), str):
            raise ValueError(f"tools[{i}]: expected an object with a name and parameters")
        parameters = next((held[key] for key in ("parameters", "input_schema") if key in held), None) or {}
        if not isinstance(parameters, Mapping):
            raise ValueError(f"tools[{i}]: its parameters are no JSON Schema")
        read[held["name"]] = Tool(held["name"], parameters)
    return read


def _declares_text(declared: Any) -> bool:
    return isinstance(declared, Mapping) and declared.get("type") == "string"


def _to_json_schema(node: Any) -> Any:
    if isinstance(node, list):
        return [_to_json_schema(one) for one in node]
    if not isinstance(node, Mapping):
        return node
    made = {key: _to_json_schema(value) for key, value in node.items()}
    kind = made.get("type")
    if kind == "any":
        del made["type"]
    elif isinstance(kind, str):
        made["type"] = _JSON_TYPES.get(kind, kind)
    return made
