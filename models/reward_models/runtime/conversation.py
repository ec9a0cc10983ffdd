"""Reads rows as conversations that end with the answer to be scored."""

from dataclasses import dataclass, replace
from typing import Any

import msgpack

from reward_models.runtime import chat
from reward_models.runtime.chat import ChatError
from reward_models.runtime.rows import Columns, decode_texts

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages of ``role`` and ``content`` (text); the last is an assistant's. ``ignored``: parts were left out.

    ``given``: the steps of the answer, if the caller sent them.
    """

    messages: list[Message]
    ignored: bool = False
    given: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """The text of the answer, and its tool calls as JSON."""
        return chat.turn_text(self.messages[-1])

    @property
    def asked(self) -> str:
        """The messages before the answer, as one text."""
        return chat.render_turns([(str(turn["role"]), chat.turn_text(turn)) for turn in self.messages[:-1]])

    def split_steps(self, split: str) -> list[str]:
        """The steps of the answer: those given by the caller, otherwise the parts between ``split``."""
        return [step.strip() for step in self.given or self.answer.split(split) if step.strip()]

    def with_steps(self, steps: bytes) -> "Conversation":
        """A copy with the steps of its answer, a msgpack list of texts; unchanged if ``steps`` is empty.

        Raises:
            ChatError: ``steps`` is not such a list, or a step is empty.
        """
        if not steps:
            return self
        try:
            given = [bytes(step).decode("utf-8", "replace") for step in msgpack.unpackb(steps)]
        except (ValueError, TypeError, msgpack.UnpackException):
            raise ChatError("The steps are not a msgpack list of texts.") from None
        for place, step in enumerate(given):
            if not step.strip():
                raise ChatError(f"steps[{place}] is empty.")
        return replace(self, given=tuple(given))


def read_conversation(prompt: str, response: str, messages: str) -> Conversation:
    """The conversation of one row.

    Args:
        prompt, response: plain texts, as a user's turn and the assistant's; either may be empty.
        messages: a JSON list of chat messages, or empty. A ``prompt`` given as well is an earlier turn, ``response`` a
            later one; other fields of a message (tool calls, names) are passed to the template.

    Raises:
        ChatError: the messages are not a chat, or end without an answer.
    """
    if not messages:
        return Conversation([make_message("user", prompt), make_message("assistant", response)])
    parsed, ignored = chat.read_turns(messages)
    turns: list[Message] = [dict(turn) for turn in parsed]
    if prompt:
        turns = [make_message("user", prompt), *turns]
    if response:
        turns.append(make_message("assistant", response))
    if not turns or turns[-1]["role"] != "assistant":
        raise ChatError("The messages end without an assistant's answer, and no response was given.")
    return Conversation(turns, ignored)


def make_message(role: str, content: str) -> Message:
    """One message."""
    return {"role": role, "content": content}


def read_conversations(columns: Columns, rows: int) -> tuple[dict[int, Conversation], dict[int, str]]:
    """Row -> conversation of the readable rows, and row -> error of the others."""
    read_rows, errors = {}, {}
    fields = (decode_texts(columns, name, rows) for name in ("prompt", "response", "messages"))
    steps = columns.get("steps", [b""] * rows)
    for row, values in enumerate(zip(*fields, strict=True)):
        try:
            read_rows[row] = read_conversation(*values).with_steps(steps[row])
        except ChatError as error:
            errors[row] = f"invalid_field: {error}"
    return read_rows, errors
