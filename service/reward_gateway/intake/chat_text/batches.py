"""Batches of native requests that say that their texts are rendered; those of others are taken as they are."""

from collections.abc import Mapping, Sequence
from typing import Any

from reward_gateway.sample import Batch, Text
from reward_gateway.sample.messages import ChatMessage
from reward_gateway.sample.turn_marks import TEMPLATE_MARKS

from ..messages import plain_messages
from .reader import PLAIN_TEXT, PROMPT_TRUNCATED, ChatText, read_response, read_whole
from .samples import TextReading, prompt_of, response_of

_NESTING = 64
"""Levels that a message which is made of a text may have: the arguments of its calls are one text."""

_OPENED = ("", "<think>")
"""What a generation prompt may write for the assistant."""


def read_batch_texts(batch: Batch, reading: TextReading) -> None:
    """Put what the texts of a batch hold in their places, as a request with messages would have it.

    A response is everything after its prompt, as :func:`.reader.read_response` reads it. Of a prompt that is messages,
    the last one may hold what a template made of it, generation prompt included: some trainers render one message at a
    time and keep it so.
    """
    for row, (prompt, response) in enumerate(zip(batch.prompts, batch.responses, strict=True)):
        if not isinstance(response, str):
            continue
        before, text = _read_sample(None if row in batch.without_prompt else prompt, response, reading.choice)
        if text.turns is not None:
            turns = prompt_of(text.turns)
            batch.prompts[row] = [*before, *_to_messages(turns)] if before else _to_plain(turns)
        if text.answer is not None:
            batch.responses[row] = _to_plain(response_of(text.answer))
        batch.unflag(row, TEMPLATE_MARKS)  # the response may have had no more than its end mark
        if text.flags:
            batch.flag(row, *text.flags)


def count_chars(batch: Batch) -> int:
    """Characters of the texts that :func:`read_batch_texts` looks at."""
    prompts = map(_last_text, batch.prompts)
    return sum(map(len, prompts)) + sum(len(text) for text in batch.responses if isinstance(text, str))


def _last_text(prompt: Text) -> str:
    """A prompt, or the text of its last message."""
    content = prompt if isinstance(prompt, str) else prompt[-1].get("content") if prompt else None
    return content if isinstance(content, str) else ""


def _read_sample(prompt: Text | None, response: str, choice: str) -> tuple[Sequence[Mapping[str, Any]], ChatText]:
    """The messages that stay before what was read, and what was read."""
    if prompt is None or isinstance(prompt, str):
        return (), read_response(prompt, response, choice)
    last = prompt[-1] if prompt else {}
    content = last.get("content")
    if last.keys() == {"role", "content"} and isinstance(content, str) and _is_open_prompt(content, choice):
        return prompt[:-1], read_response(content, response, choice)
    return prompt, read_response(None, response, choice)


def _is_open_prompt(text: str, choice: str) -> bool:
    """Whether a text is a whole rendered prompt that ends where the assistant begins."""
    read = read_whole(text, choice)
    if read.answer is None or not {PLAIN_TEXT, PROMPT_TRUNCATED}.isdisjoint(read.flags):
        return False
    return read.answer.content.strip() in _OPENED


def _to_plain(text: str | list[ChatMessage]) -> Text:
    return text if isinstance(text, str) else plain_messages(text, "", [], _NESTING).messages


def _to_messages(text: str | list[ChatMessage]) -> Sequence[Mapping[str, Any]]:
    plain = _to_plain(text)
    return [{"role": "user", "content": plain}] if isinstance(plain, str) else plain
