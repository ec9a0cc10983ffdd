"""A row as a conversation that ends with the answer to be judged."""

import json
from dataclasses import dataclass
from typing import Any

from reward_models.runtime import chat
from reward_models.runtime.chat import ChatError
from reward_models.runtime.rows import Columns, texts

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages of ``role`` and ``content`` (text); the last is an assistant's. ``ignored``: parts were left out."""

    messages: list[Message]
    ignored: bool = False

    @property
    def answer(self) -> str:
        return str(self.messages[-1]["content"])

    @property
    def asked(self) -> str:
        """What came before the answer, as one text."""
        return chat.render([(str(turn["role"]), str(turn["content"])) for turn in self.messages[:-1]])


def read(prompt: str, response: str, messages: str) -> Conversation:
    """The conversation of one row.

    Args:
        prompt, response: plain texts, as a user's turn and the assistant's; either may be empty.
        messages: a JSON list of chat messages, or empty. ``prompt`` beside them is an earlier turn, ``response`` a
            later one; other fields of a message (tool calls, names) reach the template as they are.

    Raises:
        ChatError: the messages are no chat, or end without an answer.
    """
    if not messages:
        return Conversation([turn("user", prompt), turn("assistant", response)])
    said, ignored = chat.parse(messages)
    turns = [{**item, "content": content} for item, (_, content) in zip(json.loads(messages), said, strict=True)]
    if prompt:
        turns = [turn("user", prompt), *turns]
    if response:
        turns.append(turn("assistant", response))
    if not turns or turns[-1]["role"] != "assistant":
        raise ChatError("The messages end without an assistant's answer, and no response was given.")
    return Conversation(turns, ignored)


def turn(role: str, content: str) -> Message:
    """One message."""
    return {"role": role, "content": content}


def conversations(columns: Columns, rows: int) -> tuple[dict[int, Conversation], dict[int, str]]:
    """Row -> conversation of those that can be read, and row -> error of the others."""
    read_rows, errors = {}, {}
    fields = (texts(columns, name, rows) for name in ("prompt", "response", "messages"))
    for row, values in enumerate(zip(*fields, strict=True)):
        try:
            read_rows[row] = read(*values)
        except ChatError as error:
            errors[row] = f"invalid_field: {error}"
    return read_rows, errors
