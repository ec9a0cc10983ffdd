"""Flags for the samples of every entry whose responses hold marks of chat templates."""

from reward_gateway.sample import Batch, Text
from reward_gateway.sample.turn_marks import TEMPLATE_MARKS, find_marked


def flag_template_marks(batch: Batch) -> None:
    """Flag the samples in whose response a turn begins or ends. No text is changed."""
    for row in find_marked([_texts_of(response) for response in batch.responses]):
        batch.flag(row, TEMPLATE_MARKS)


def _texts_of(response: Text | None) -> list[str]:
    """The texts of a response; of a trajectory, those of the assistant."""
    if response is None:
        return []
    if isinstance(response, str):
        return [response]
    texts = []
    for message in response:
        content = message.get("content") if message.get("role") == "assistant" else None
        parts = [content] if isinstance(content, str) else [part.get("text") for part in content or ()]
        texts += [text for text in parts if isinstance(text, str)]
    return texts
