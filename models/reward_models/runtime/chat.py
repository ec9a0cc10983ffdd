"""Conversations for the text models: one prompt text and one response text.

A single user turn is used as it is. A longer conversation is written with its speakers, as in the training data of the
heads: ``Human: …``, ``Assistant: …``, an empty line between turns.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SPEAKERS = {"user": "Human", "developer": "System"}
"""Roles written under another name; other roles are capitalised: ``Assistant``, ``System``, ``Tool``."""


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
    """Roles and texts of a JSON list of messages, and whether parts that are not text were left out."""
    try:
        items = json.loads(messages)
    except ValueError:
        raise ChatError("The messages are not JSON.") from None
    if not isinstance(items, list):
        raise ChatError("The messages are not a list.")
    turns, ignored = [], False
    for index, item in enumerate(items):
        if not isinstance(item, Mapping) or not isinstance(item.get("role"), str):
            raise ChatError(f"Message {index} has no role.")
        text, left_out = read_content(item.get("content"), index)
        turns.append((item["role"], text))
        ignored |= left_out
    return turns, ignored


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
