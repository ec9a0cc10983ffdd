"""What a conversion is to write, and what torch says of it: the same questions, answered with and without torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = Mapping[str, bytes]
"""Input tensor -> value, as a caller would send it."""


@dataclass(slots=True)
class Plan:
    """A checkpoint, understood.

    Attributes:
        kind: in words, for the card.
        summary: what is scored, in one sentence.
        scorer: module and class of the runtime.
        inputs, dimensions, flags: names and what they mean, as a card has them.
        settings: what the scorer reads.
        limits: what a user must know.
        method: how the score comes about.
        write: puts graphs, tokeniser and template into a folder.
        rows: what the conversion is checked on.
        reference: the scores of a row by torch alone; None where torch refuses the row, and the scorer must as well.
        max_batch: rows of one call.
    """

    kind: str
    summary: str
    scorer: tuple[str, str]
    inputs: dict[str, str]
    dimensions: dict[str, str]
    flags: dict[str, str]
    settings: dict[str, Any]
    limits: list[str]
    method: str
    write: Callable[[Path], None]
    rows: list[Row]
    reference: Callable[[Row], list[float] | None]
    max_batch: int = 256
    vector: str = ""
    """What the output ``vector`` holds, for scorers that give numbers of the parts of a row."""
    optional: list[str] = field(default_factory=list)
    """Input tensors that a request may leave out."""
