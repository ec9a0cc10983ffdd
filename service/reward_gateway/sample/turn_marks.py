"""Marks with which chat templates begin and end turns: what is found of them in a response is flagged."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from .batch import Batch

TEMPLATE_MARKS: Final = "template_marks"
"""Flags a response in which a turn of a chat template begins or ends."""

END_MARKS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|eot|>",
    "<|eom|>",
    "</s>",
    "<end_of_turn>",
    "<turn|>",
    "<eos>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|end_of_turn|>",
    "<EOS_TOKEN>",
    "<｜end▁of▁sentence｜>",
    "<|EOT|>",
)
"""End of a turn or of a text."""

_TURN_MARKS = (
    "<|im_start|>",
    "<|im_system|>",
    "<|im_user|>",
    "<|im_assistant|>",
    "<|start_header_id|>",
    "<|header_start|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|observation|>",
    "<|start_of_role|>",
    "<|START_OF_TURN_TOKEN|>",
    "<|start|>assistant",
    "<|start|>user",
    "<|start|>system",
    "<|start|>developer",
    "<|channel|>",
    "<|turn>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<start_of_turn>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    *(mark for mark in END_MARKS if mark != "</s>"),
)
_HINTS = ("<|", "<｜", "INST]", "SYS>>", "_of_turn>", "|>", "<eos>", "<EOS_TOKEN>")
"""One of these stands in every text with a mark."""


def may_have_turn_marks(text: str) -> bool:
    """Whether it is worth looking for turn marks in the text.

    Every hint has one of four characters, and most texts have none of them: looking for these takes no time.
    """
    if not (">" in text or "|" in text or "]" in text or "｜" in text):
        return False
    return any(hint in text for hint in _HINTS)


def has_turn_marks(text: str) -> bool:
    """Whether a turn of a known format begins or ends in the text.

    Formats of ordinary words do not count, nor do ``<s>`` and ``</s>``, which HTML has too.
    """
    return may_have_turn_marks(text) and any(mark in text for mark in _TURN_MARKS)


def find_marked(texts: Iterable[Sequence[str]]) -> list[int]:
    """The rows [n] that have a text with turn marks."""
    return [i for i, row in enumerate(texts) if any(map(has_turn_marks, row))]


def flag_template_marks(batch: Batch) -> None:
    """Flag the samples in whose response a turn begins or ends. No text is changed."""
    responses = batch.responses
    possible = [  # as in may_have_turn_marks, without a call for each of a large batch
        row
        for row, text in enumerate(responses)
        if type(text) is not str or ">" in text or "|" in text or "]" in text or "｜" in text
    ]
    for row in possible:
        response = responses[row]
        if isinstance(response, str):
            marked = has_turn_marks(response)
        else:
            marked = any(map(has_turn_marks, _texts_of(response or ())))
        if marked:
            batch.flag(row, TEMPLATE_MARKS)


def _texts_of(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The texts of the assistant's messages."""
    texts: list[str] = []
    for message in messages:
        content = message.get("content") if message.get("role") == "assistant" else None
        parts = [content] if isinstance(content, str) else [part.get("text") for part in content or ()]
        texts += [text for text in parts if isinstance(text, str)]
    return texts
