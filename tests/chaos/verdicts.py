"""The table of figures: what was measured, what was to be reached, and whether it was."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure has to be, in words and as a test."""

    words: str
    is_met_by: Callable[[float], bool]


def at_most(limit: float) -> Target:
    """A figure of ``limit`` or less."""
    return Target(f"≤ {limit:g}", lambda figure: figure <= limit)


def at_least(limit: float) -> Target:
    """A figure of ``limit`` or more."""
    return Target(f"≥ {limit:g}", lambda figure: figure >= limit)


def exactly(number: float) -> Target:
    """This very figure."""
    return Target(f"= {number:g}", lambda figure: figure == number)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of the table."""

    test: str
    name: str
    figure: float
    target: Target
    unit: str

    @property
    def is_met(self) -> bool:
        return self.target.is_met_by(self.figure)  # NaN meets nothing

    @property
    def cells(self) -> tuple[str, ...]:
        figure, target = f"{self.figure:.4g} {self.unit}".strip(), f"{self.target.words} {self.unit}".strip()
        return self.test, self.name, figure, target, "met" if self.is_met else "MISSED"


@dataclass
class Table:
    """All verdicts of a run."""

    rows: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        self.rows.append(verdict)

    def list_missed(self, test: str) -> list[Verdict]:
        """The verdicts of one test that missed their targets."""
        return [row for row in self.rows if row.test == test and not row.is_met]

    def lines(self) -> list[str]:
        """The table in Markdown, aligned for reading as text."""
        head = ("test", "figure of", "figure", "target", "verdict")
        cells: Sequence[tuple[str, ...]] = [head, *(row.cells for row in self.rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
        rows = [
            "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
            for row in cells
        ]
        return [rows[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *rows[1:]]

    def write(self, file: Path) -> None:
        """Write the table; its folder is made."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join([*self.lines(), ""]), encoding="utf-8")
