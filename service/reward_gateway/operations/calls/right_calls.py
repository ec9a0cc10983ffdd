"""The calls that are right, from a reference: calls with their arguments, or BFCL's form with the values of each.

BFCL (Berkeley Function Calling Leaderboard) writes a right call as ``{name: {argument: [values]}}``: any of the values
is right, and ``""`` among them says that the argument may be left out. What is said here of its rules was learned from
the published ``bfcl-eval`` 2026.3.23.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .given_values import Equality, Untyped, fit
from .response_calls import GivenCall, read_calls
from .tools import Tool

Arguments = Literal["exact", "subset", "schema", "names"]

_LOOSE = re.compile(r"[ ,./\-_*^]")
_PYTHON_TYPES: Mapping[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "number": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "object": dict,
}


def loosen(text: str) -> str:
    """A text as BFCL compares it: lower case, without spaces and ``,./-_*^``, one kind of quotation mark."""
    return _LOOSE.sub("", text).lower().replace("'", '"')


@dataclass(frozen=True, slots=True)
class RightCall:
    """A right call.

    Attributes:
        arguments: those that are right; of a call in BFCL's form, the list of right values of each.
        listed: it is in BFCL's form.
    """

    name: str
    arguments: Mapping[str, Any]
    listed: bool = False

    def find_fault(self, given: GivenCall, how: Arguments, equal: Equality, tool: Tool | None) -> str | None:
        """Where a given call differs: ``name``, ``arguments`` or ``arguments.NAME``; None if it is right."""
        if given.name != self.name and not (self.listed and given.name == self.name.replace(".", "_")):
            return "name"
        if given.arguments is None:
            return "arguments"
        if how == "names":
            return None
        if self.listed:
            return self._find_listed_fault(given.arguments, how, equal, tool)
        defaults = tool.defaults() if tool else {}
        right = {**defaults, **self.arguments}
        arguments = {**defaults, **given.arguments}
        for name, value in (self.arguments if how == "subset" else right).items():
            if name not in arguments or not equal(arguments[name], value):
                return f"arguments.{name}"
        extra = [name for name in arguments if name not in right]
        return f"arguments.{extra[0]}" if extra and how == "exact" else None

    def _find_listed_fault(
        self, arguments: Mapping[str, Any], how: Arguments, equal: Equality, tool: Tool | None
    ) -> str | None:
        missing = [name for name in (tool.required if tool else ()) if name not in arguments]
        if missing:
            return f"arguments.{missing[0]}"
        for name, value in arguments.items():
            if name not in self.arguments or (tool is not None and name not in tool.properties):
                if how == "subset":
                    continue
                return f"arguments.{name}"
            declared = tool.properties[name] if tool else {}
            if not _is_listed(value, self.arguments[name], declared, equal):
                return f"arguments.{name}"
        return next(
            (
                f"arguments.{name}"
                for name, values in self.arguments.items()
                if name not in arguments and "" not in values
            ),
            None,
        )


def _is_listed(value: Any, values: list[Any], declared: Any, equal: Equality) -> bool:
    """Whether a value is one of the right ones, and of the type that the tool declares, or that they have."""
    named = declared.get("type") if isinstance(declared, Mapping) else None
    kind = _PYTHON_TYPES.get(named) if isinstance(named, str) else None
    written = next((type(one) for one in values if one != ""), None)
    value = fit(value, kind or written or str)
    if kind is not None and type(value) not in (kind, written) and not (kind is float and type(value) is int):
        return False
    return any(_fits(value, one, equal) for one in values)


def _fits(value: Any, right: Any, equal: Equality) -> bool:
    """A value beside one right value: in objects, every key has its list of right values."""
    if isinstance(value, dict) and isinstance(right, dict):
        known = all(
            key in right and isinstance(right[key], list) and any(_fits(held, one, equal) for one in right[key])
            for key, held in value.items()
        )
        return known and all(key in value or (isinstance(one, list) and "" in one) for key, one in right.items())
    if isinstance(value, list) and isinstance(right, list) and any(isinstance(one, dict) for one in right):
        return len(value) == len(right) and all(_fits(held, one, equal) for held, one in zip(value, right, strict=True))
    return equal(value, right)


def read_right_calls(reference: Any) -> list[RightCall]:
    """The right calls of a reference.

    Args:
        reference: a list of calls, or a text that holds one: JSON, or any form that a response may have.

    Raises:
        ValueError: it has none that can be read.
    """
    if isinstance(reference, str):
        return _read_text(reference)
    if isinstance(reference, Mapping):
        return _read_one(reference)
    if not isinstance(reference, list):
        raise ValueError("expected a list of calls")
    return [call for one in reference for call in (_read_text(one) if isinstance(one, str) else _read_one(one))]


def _read_text(text: str) -> list[RightCall]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, list | dict):
        return read_right_calls(value)
    calls = read_calls(text)
    if not calls or any(call.arguments is None for call in calls):
        raise ValueError("holds no calls that can be read")
    return [RightCall(call.name, _typed(call.arguments or {})) for call in calls]


def _typed(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value.as_json() if isinstance(value, Untyped) else value for name, value in arguments.items()}


def _read_one(call: Any) -> list[RightCall]:
    if not isinstance(call, Mapping):
        raise ValueError("a call is an object with a name and arguments")
    if call and all(_lists_values(held) for held in call.values()):
        return [RightCall(str(name), held, listed=True) for name, held in call.items()]
    read = read_calls(json.dumps(call))
    if not read or read[0].arguments is None:
        raise ValueError("a call is an object with a name and arguments")
    return [RightCall(read[0].name, read[0].arguments)]


def _lists_values(held: Any) -> bool:
    return isinstance(held, Mapping) and all(isinstance(values, list) for values in held.values())
