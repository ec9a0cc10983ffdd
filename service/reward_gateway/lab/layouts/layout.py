"""What a layout is: its name, its columns, and how a row of it is read."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..comparison import Comparison
from .values import Row

Read = Callable[[int, Row], Comparison]


def fits_any(_row: Row) -> bool:
    """Most layouts are known by their columns alone."""
    return True


@dataclass(frozen=True, slots=True)
class Layout:
    """One published layout.

    Attributes:
        name: as ``--layout`` takes it.
        title: for people.
        columns: those it needs.
        one_of: where there are any, one of these is needed as well.
        without: columns that tell another layout.
        more: columns that it reads where they are there.
        read: a row by its number; raises RowError, and LeftOut for a row that states no preference.
        fits: whether the values of a row are of this layout, for layouts that share their columns.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    read: Read
    one_of: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    fits: Callable[[Row], bool] = fits_any

    def missing(self, columns: Collection[str]) -> list[str]:
        """What it needs and a file lacks."""
        lacks = [column for column in self.columns if column not in columns]
        if self.one_of and not any(column in columns for column in self.one_of):
            lacks.append(" or ".join(self.one_of))
        return lacks

    def matches(self, columns: Collection[str], first: Row) -> bool:
        """Whether a file with these columns, and this row, has the layout."""
        return not self.missing(columns) and not {*self.without} & {*columns} and self.fits(first)
