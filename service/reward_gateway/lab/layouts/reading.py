"""Chooses the layout of a file, and reads its rows."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from reward_gateway.recipes.suggestions import did_you_mean

from ..comparison import Comparison
from .layout import Layout
from .lists import LISTS
from .pairs import PAIRS
from .values import LayoutError, LeftOut, Row, RowError

LAYOUTS = {layout.name: layout for layout in (*LISTS, *PAIRS)}
"""By name; those with more columns first, so that the first that matches is the one."""


@dataclass(slots=True)
class Preferences:
    """The comparisons of a file.

    Attributes:
        rows: number of rows that were read.
        left_out: why rows state no preference -> number of rows.
    """

    layout: Layout
    comparisons: list[Comparison] = field(default_factory=list)
    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def choose_layout(columns: Collection[str], first: Row, name: str | None = None) -> Layout:
    """The layout that columns have, or the named one.

    Args:
        first: the first row, which tells layouts with the same columns apart.

    Raises:
        LayoutError: the columns have none, or not those of the named one, or there is none of that name.
    """
    if name is not None:
        layout = LAYOUTS.get(name.lower())
        if layout is None:
            raise LayoutError(f"there is no layout {name!r}{did_you_mean(name, list(LAYOUTS))}")
        if lacks := layout.missing(columns):
            raise LayoutError(f"layout {layout.name} needs the column {', '.join(lacks)}; {_listed(columns)}")
        return layout
    for layout in LAYOUTS.values():
        if layout.matches(columns, first):
            return layout
    lines = "\n".join(
        f"  {layout.name}: missing {', '.join(layout.missing(columns)) or '-'}" for layout in _nearest(columns)
    )
    raise LayoutError(f"{_listed(columns)}, which no layout has; name one with --layout, or rename columns:\n{lines}")


def read_preferences(layout: Layout, rows: Iterable[Row]) -> Preferences:
    """Read all rows.

    Raises:
        RowError: a row cannot be read; ``args[1]`` is its number, from 0.
    """
    found = Preferences(layout)
    for number, row in enumerate(rows):
        found.rows += 1
        try:
            found.comparisons.append(layout.read(number, row))
        except LeftOut as reason:
            found.left_out[str(reason)] += 1
        except RowError as error:
            raise RowError(str(error), number) from None
    return found


def _listed(columns: Collection[str]) -> str:
    return f"the file has the columns {', '.join(columns)}" if columns else "the file has no columns"


def _nearest(columns: Collection[str]) -> Iterator[Layout]:
    """Layouts by how much a file lacks of them."""
    yield from sorted(LAYOUTS.values(), key=lambda layout: len(layout.missing(columns)))
