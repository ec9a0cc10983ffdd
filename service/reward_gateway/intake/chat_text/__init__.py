"""Rendered chat text, read back into messages.

Clients that send text send what a chat template made of a conversation, whole or with the response apart. Every entry
that takes such text reads it here. A new template is a row of ``formats.py`` and its name in ``recognition.py``.
"""

from .batches import count_chars, read_batch_texts
from .reader import TEXT_FLAGS, ChatText, read_response, read_whole
from .samples import (
    Holds,
    ReadSamples,
    TextReading,
    TextSample,
    prompt_of,
    read_columns,
    read_rendered,
    read_samples,
)

__all__ = [
    "TEXT_FLAGS",
    "ChatText",
    "Holds",
    "ReadSamples",
    "TextReading",
    "TextSample",
    "count_chars",
    "prompt_of",
    "read_batch_texts",
    "read_columns",
    "read_rendered",
    "read_response",
    "read_samples",
    "read_whole",
]
