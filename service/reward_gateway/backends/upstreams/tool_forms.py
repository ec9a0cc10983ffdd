"""Tool calls of messages in the form that their reader takes: objects for templates, OpenAI's JSON text for servers."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reward_gateway.sample import turn_text
from reward_gateway.sample.tool_calls import name_call

Messages = Sequence[Mapping[str, Any]]


def has_calls(message: Mapping[str, Any]) -> bool:
    """Whether a message has tool calls."""
    calls = message.get("tool_calls")
    return isinstance(calls, list) and bool(calls)


def render_calls(messages: Messages, render: Callable[[Messages], str], refusal: type[Exception]) -> str:
    """A conversation with tool calls as a template has it, whichever form of their arguments it reads.

    transformers gives templates objects, which is tried first; some read the JSON text of OpenAI's form. A template
    without a form for calls would leave them out, and a call that a model does not see would earn what an empty answer
    earns: it gets them as JSON below the text of their turn.

    Args:
        render: the template.
        refusal: what it raises if it rejects a conversation, which this raises, too.
    """
    for write in (keep_arguments, write_arguments):
        try:
            if _are_shown(messages, render, write):
                return render([with_calls(message, write) for message in messages])
        except refusal:
            continue
    return render([as_text(message) for message in messages])


def _are_shown(messages: Messages, render: Callable[[Messages], str], write: Callable[[Any], Any]) -> bool:
    """Whether all that calls say is rendered: tried with marks, so that no other text passes for them."""
    marks: list[str] = []

    def mark(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {mark(key): mark(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [mark(entry) for entry in value]
        if not isinstance(value, str):
            return value
        marks.append(f"mark{len(marks):06d}")
        return marks[-1]

    marked = []
    for message in messages:
        calls = [name_call(call) for call in message["tool_calls"]] if has_calls(message) else []
        if not all(isinstance(call, Mapping) and "name" in call for call in calls):
            return False
        called = [{"name": mark(call["name"]), "arguments": mark(call.get("arguments", {}))} for call in calls]
        marked.append({**message, "tool_calls": called} if calls else message)
    text = render([with_calls(message, write) for message in marked])
    return all(found in text for found in marks)


def keep_arguments(arguments: Any) -> Any:
    """Arguments as an object, which they are where their JSON is one."""
    return arguments


def write_arguments(arguments: Any) -> Any:
    """Arguments as the JSON text that OpenAI's form has."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def with_calls(message: Mapping[str, Any], write: Callable[[Any], Any], *, ids: bool = False) -> Mapping[str, Any]:
    """A message with its calls in OpenAI's form.

    Args:
        write: writes their arguments, which are objects where they can be.
        ids: each has an id, as servers want, though it came without.
    """
    if not has_calls(message):
        return message
    calls = []
    for k, own in enumerate(message["tool_calls"]):
        call = name_call(own)
        if not isinstance(call, Mapping) or "name" not in call:
            calls.append(own)  # of a form that is none: whoever reads it may refuse it
            continue
        named = own.get("id") or (f"call_{k}" if ids else None)
        function = {"name": call["name"], "arguments": write(call.get("arguments", {}))}
        calls.append({**({"id": named} if named else {}), "type": "function", "function": function})
    return {**message, "tool_calls": calls}


def as_text(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message whose calls, if it has any, stand in its text as JSON."""
    if not has_calls(message):
        return message
    rest = {key: value for key, value in message.items() if key != "tool_calls"}
    return {**rest, "content": turn_text(message, calls=True)}
