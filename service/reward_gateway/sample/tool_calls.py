"""Tool calls of chat messages as text, for whoever has no form of its own for them.

Models that take messages render calls by their own chat template; what reads texts sees them as JSON below the words
of their turn: ``{"name", "arguments"}``, a list where a turn has several.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec


def calls_text(calls: Any) -> str:
    """The calls of a message as JSON; empty if there are none."""
    if not isinstance(calls, list) or not calls:
        return ""
    named = [name_call(call) for call in calls]
    return json.dumps(named[0] if len(named) == 1 else named, ensure_ascii=False)


def name_call(call: Any) -> Any:
    """A call as ``{"name", "arguments"}``, from OpenAI's forms (``function``, ``custom``) or a bare one; others stay.

    Arguments that are the JSON of an object are that object.
    """
    if not isinstance(call, Mapping):
        return call
    held = next((call[kind] for kind in ("function", "custom") if isinstance(call.get(kind), Mapping)), call)
    if not isinstance(held.get("name"), str):
        return dict(call)
    arguments: Any = next((held[key] for key in ("arguments", "parameters", "input") if key in held), {})
    return {"name": held["name"], "arguments": _parse_arguments(arguments)}


def _parse_arguments(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    try:
        return msgspec.json.decode(arguments, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return arguments
