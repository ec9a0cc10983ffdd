"""Reads a file of preferences as comparisons, whatever its format and its layout."""

from pathlib import Path

from reward_gateway.counted import count_of
from reward_gateway.intake.sample_files import Csv, Row, Source, open_source
from reward_gateway.lab.layouts import LayoutError, Preferences, RowError, choose_layout, read_preferences

from .output import Unusable


def read_preference_file(path: Path, layout: str | None = None) -> Preferences:
    """The comparisons of a .jsonl, .csv or .parquet file.

    Args:
        layout: its name; None: recognised by the columns.

    Raises:
        Unusable: the file, its columns or one of its rows cannot be read, or no row states a preference.
    """
    source = open_source(path)
    rows = (_with_nulls(source, row) for row in source.rows())
    first = next(rows, None)
    if first is None:
        raise Unusable(f"{path} has no rows")
    try:
        chosen = choose_layout(source.columns(), first, layout)
        found = read_preferences(chosen, (_with_nulls(source, row) for row in source.rows()))
    except LayoutError as error:
        raise Unusable(f"{path}: {error}") from None
    except RowError as error:
        message, row = error.args
        raise Unusable(f"{path}, {source.place(row)}: {message} (layout {chosen.name})") from None
    if not found.comparisons:
        reasons = "; ".join(f"{reason} ({count_of(count, 'row')})" for reason, count in found.left_out.items())
        raise Unusable(f"{path}: no row states a preference: {reasons}")
    return found


def _with_nulls(source: Source, row: Row) -> Row:
    """A row whose missing values are None: a CSV file has an empty cell for one."""
    return {name: value or None for name, value in row.items()} if isinstance(source, Csv) else row
