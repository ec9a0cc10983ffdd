"""One measurement of a model: what it needs, what it gives, and what it is compared with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
"""Figures by name, rounded as the card shows them: an entry of ``quality``."""


class Missing(Exception):
    """The data of a measurement is not at hand; the message says what is lacking, not where it was looked for."""


@dataclass(frozen=True, slots=True)
class Part:
    """A measurement.

    Attributes:
        name: the entry of ``quality`` that it measures.
        measure: is given the data folder (None where it needs none) and returns the entry, or as many of its
            figures as it measures. Raises Missing where the folder lacks something that ``needs`` cannot name.
        shown: figure -> what it is compared with: the name of another figure of the entry, a number, or None.
        count: the figure that says on how many pairs, images or episodes the others stand.
        needs: files of the data folder.
    """

    name: str
    measure: Callable[[Path | None], Entry]
    shown: Mapping[str, str | float | None]
    count: str = "pairs"
    needs: tuple[str, ...] = field(default=())

    def find_lacking(self, data: Path | None) -> str:
        """What of its needs is not at hand, in words; empty if nothing is."""
        absent = [name for name in self.needs if data is None or not (data / name).is_file()]
        return " and ".join(absent)
