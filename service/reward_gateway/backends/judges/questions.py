"""A question to a judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Conversation = Sequence[dict[str, Any]]
"""Chat messages: role and content (text, or a list of parts)."""


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation, and how it is to be answered.

    Attributes:
        temperature: None for the judge's own.
        schema: JSON Schema of the answer; None for free text.
        top_logprobs: alternatives to be told of each token, with their log-probabilities; 0: none.
    """

    conversation: Conversation
    temperature: float | None = 0.0
    schema: Mapping[str, Any] | None = None
    top_logprobs: int = 0
