"""One measurement of a model: required data, figures, and baselines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
"""Figures by name, rounded as the card shows them: an entry of ``quality``."""


class Missing(Exception):
    """The data of a measurement is missing; the message names it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A measurement.

    Attributes:
        name: the entry of ``quality`` that it measures.
        measure: takes the data folder (None if it needs none) and returns the entry, or some of its figures. Raises
            Missing if the folder lacks something that ``needs`` cannot name.
        shown: figure -> what it is compared with: the name of another figure of the entry, a number, or None.
        count: the figure with the number of pairs, images or episodes.
        needs: required files of the data folder.
    """

    name: str
    measure: Callable[[Path | None], Entry]
    shown: Mapping[str, str | float | None]
    count: str = "pairs"
    needs: tuple[str, ...] = field(default=())

    def find_lacking(self, data: Path | None) -> str:
        """The missing files, joined by "and"; empty if there are none."""
        absent = [name for name in self.needs if data is None or not (data / name).is_file()]
        return " and ".join(absent)
