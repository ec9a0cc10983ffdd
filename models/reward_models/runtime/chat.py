"""Conversations for the text models: one prompt text and one response text.

A single user turn is used as it is. A longer conversation is written with its speakers, as in the training data of the
heads: ``Human: …``, ``Assistant: …``, an empty line between turns. The tool calls of a turn follow its text as JSON.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SPEAKERS = {"user": "Human", "developer": "System"}
"""Roles written under another name; other roles are capitalised: ``Assistant``, ``System``, ``Tool``."""


Turn = Mapping[str, Any]
"""A message: ``role``, ``content`` as text, and its other fields."""


class ChatError(ValueError):
    """A conversation cannot be read; the message says why and quotes none of it."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt and a response. ``ignored``: parts other than text were left out."""

    prompt: str
    response: str
    ignored: bool = False


def read_exchange(prompt: str, response: str, messages: str) -> Exchange:
    """The exchange of one row.

    Args:
        prompt, response: plain texts; either may be empty if ``messages`` are given.
        messages: a JSON list of chat messages, or empty. If ``response`` is empty, the assistant's turns at the
            end are the response. A ``prompt`` given as well is read as an earlier turn.

    Raises:
        ChatError: the messages are not a chat, or end without an answer.
    """
    if not messages:
        return Exchange(prompt, response)
    turns, response, ignored = split_answer(prompt, response, messages)
    return Exchange(render_turns(turns), response, ignored)


def split_answer(prompt: str, response: str, messages: str) -> tuple[list[tuple[str, str]], str, bool]:
    """The turns before the answer, the answer, and whether parts other than text were left out.

    The arguments are those of :func:`read_exchange`. Raises ChatError.
    """
    turns, ignored = parse_messages(messages)
    if prompt:
        turns = [("user", prompt), *turns]
    if not response:
        end = len(turns)
        while end and turns[end - 1][0] == "assistant":
            end -= 1
        if end == len(turns):
            raise ChatError("The messages end without an assistant's answer, and no response was given.")
        response, turns = "\n\n".join(content for _, content in turns[end:]), turns[:end]
    return turns, response, ignored


def parse_messages(messages: str) -> tuple[list[tuple[str, str]], bool]:
    """Roles and texts of a JSON list of messages, tool calls included, and whether parts that are not text were left
    out."""
    turns, ignored = read_turns(messages)
    return [(turn["role"], turn_text(turn)) for turn in turns], ignored


def read_turns(messages: str) -> tuple[list[Turn], bool]:
    """The messages of a JSON list with their content as text, and whether parts that are not text were left out."""
    try:
        items = json.loads(messages)
    except ValueError:
        raise ChatError("The messages are not JSON.") from None
    if not isinstance(items, list):
        raise ChatError("The messages are not a list.")
    turns: list[Turn] = []
    ignored = False
    for index, item in enumerate(items):
        if not isinstance(item, Mapping) or not isinstance(item.get("role"), str):
            raise ChatError(f"Message {index} has no role.")
        text, left_out = read_content(item.get("content"), index)
        turns.append({**item, "content": text})
        ignored |= left_out
    return turns, ignored


def turn_text(turn: Turn) -> str:
    """What a turn says: its text, and below it its tool calls as JSON, one object or a list of several."""
    calls = turn_calls(turn)
    if not calls:
        return str(turn["content"])
    written = json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False)
    return f"{turn['content']}\n{written}" if turn["content"] else written


def turn_calls(turn: Turn) -> list[Any]:
    """The tool calls of a turn as ``{"name", "arguments"}``; a call of another form as it is."""
    calls = turn.get("tool_calls")
    return [read_call(call) for call in calls] if isinstance(calls, list) else []


def read_call(call: Any) -> Any:
    """A call as ``{"name", "arguments"}``, whichever form it came in (OpenAI's two, or bare); arguments that are JSON
    of an object are that object."""
    if not isinstance(call, Mapping):
        return call
    held = next((call[kind] for kind in ("function", "custom") if isinstance(call.get(kind), Mapping)), call)
    arguments: Any = next((held[key] for key in ("arguments", "parameters", "input") if key in held), {})
    if not isinstance(held.get("name"), str):
        return dict(call)
    return {"name": held["name"], "arguments": read_arguments(arguments)}


def read_arguments(arguments: Any) -> Any:
    """The object that a JSON text holds; anything else as it is."""
    if not isinstance(arguments, str):
        return arguments
    try:
        found = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    return found if isinstance(found, dict) else arguments


def read_content(content: Any, index: int) -> tuple[str, bool]:
    """The text of a message's content (a string or a list of parts), and whether other parts were left out."""
    if content is None:
        return "", False
    if isinstance(content, str):
        return content, False
    if not isinstance(content, list) or not all(isinstance(part, Mapping) for part in content):
        raise ChatError(f"The content of message {index} is neither a text nor a list of parts.")
    texts = [part["text"] for part in content if isinstance(part.get("text"), str)]
    return "\n\n".join(texts), len(texts) < len(content)


def render_turns(turns: Sequence[tuple[str, str]]) -> str:
    """A conversation as one text; a single user turn is used as it is."""
    if len(turns) == 1 and turns[0][0] == "user":
        return turns[0][1].strip()
    return "\n\n".join(f"{SPEAKERS.get(role, role.capitalize())}: {content.strip()}" for role, content in turns)
