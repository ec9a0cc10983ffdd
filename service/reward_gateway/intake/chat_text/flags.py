"""Flags for the samples of every entry whose responses hold marks of chat templates."""

from collections.abc import Iterator

from reward_gateway.recipes.chat_formats import TEMPLATE_MARKS
from reward_gateway.sample import Batch, Text

from .marks import has_turn_marks, may_have_turn_marks


def flag_template_marks(batch: Batch) -> None:
    """Flag the samples in whose response a turn begins or ends. No text is changed.

    Most batches hold no mark at all, and are looked through as one text.
    """
    if not may_have_turn_marks("\n".join(text for response in batch.responses for text in _texts_of(response))):
        return
    for row, response in enumerate(batch.responses):
        if any(has_turn_marks(text) for text in _texts_of(response)):
            batch.flag(row, TEMPLATE_MARKS)


def _texts_of(response: Text | None) -> Iterator[str]:
    """The texts of a response; of a trajectory, those of the assistant."""
    if response is None:
        return
    if isinstance(response, str):
        yield response
        return
    for message in response:
        if message.get("role") != "assistant":
            continue
        content = message.get("content")
        if isinstance(content, str):
            yield content
        else:
            yield from (part["text"] for part in content or () if isinstance(part.get("text"), str))
