"""The plan of a conversion: what to write, and the reference scores of torch to check it with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

Row = Mapping[str, bytes]
"""Input tensor -> value, as a caller would send it."""


@dataclass(slots=True)
class Plan:
    """How a checkpoint is converted.

    Attributes:
        kind: description for the card.
        summary: what is scored, in one sentence.
        scorer: module and class of the runtime.
        inputs, dimensions, flags: name -> description, as in a card.
        settings: of the scorer.
        limits: known limitations, for the card.
        method: how the score is computed, for the card.
        write: writes graphs, tokeniser and template to a folder.
        rows: rows to check the conversion on.
        reference: the scores of a row by torch; None if torch rejects the row, as the scorer then must too.
        max_batch: maximum rows per call.
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
    """Description of the output ``vector``, for scorers with scores per part of a row."""
    range: tuple[float, float] | None = None
    """The least and the greatest score, where that is known."""

    optional: list[str] = field(default_factory=list)
    """Input tensors that a request may leave out."""
    write_reading: Callable[[Path], None] = field(default=lambda _: None)
    """Writes what of it reads conversations into tokens, the tokeniser and the template, to a folder."""
    network: Any = None
    """The module over tokens that is exported, or run by an engine; None for a plan of several graphs."""

    def without_network(self) -> Self:
        """The same without what holds the network in memory: ``write`` and ``reference`` are not to be called again."""
        return replace(self, write=_forgotten, reference=_forgotten, network=None)


def _forgotten(_: Any) -> Any:
    raise RuntimeError("the network was let go")
