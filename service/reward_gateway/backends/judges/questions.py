"""A question to a judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Conversation = Sequence[dict[str, Any]]
"""Chat messages: role and content (text, or a list of parts)."""


CacheMode = Literal["use", "refresh", "off"]


@dataclass(frozen=True, slots=True)
class CacheUse:
    """Whether cached answers may be used, and whether answers are cached; ``owner``: the tenant's, empty for none."""

    mode: CacheMode = "off"
    owner: str = ""


NOT_CACHED = CacheUse()


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation, and how it is to be answered.

    Attributes:
        temperature: None for the judge's own.
        schema: JSON Schema of the answer; None for free text.
        draw: number of the answer among those that are drawn of the same question at a temperature above 0, if it is
            known how many are; None: not known, and each is a new one.
        problem: a name of the prompt and reference that it is about, whose answers take about as long; empty: none.
        limit_s: how long a request of it may take, below the judge's own timeout; None: that.
        tokens: whether the answer's tokens are to be told, with the log-probabilities of their alternatives; an answer
            without them is then none.
    """

    conversation: Conversation
    temperature: float | None = None
    schema: Mapping[str, Any] | None = None
    tokens: bool = False
    draw: int | None = None
    problem: str = ""
    limit_s: float | None = None
